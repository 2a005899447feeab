import type { HttpRoute } from './gke-objects.ts';

/** Arithmetic of the split between a stable and its canary. */

export interface Pair {
  readonly stable: string;
  readonly canary: string;
}

/** The canary's share in percent, by the first rule that knows both Services; undefined when none does. */
export function percentOf(route: HttpRoute, pair: Pair): number | undefined {
  for (const { backendRefs } of route.spec.rules) {
    const stable = backendRefs.find(ref => ref.name === pair.stable);
    const canary = backendRefs.find(ref => ref.name === pair.canary);
    if (!stable || !canary) continue;
    const total = stable.weight + canary.weight;
    return total === 0 ? 0 : (canary.weight / total) * 100;
  }
  return undefined;
}

export function hasWeights(route: HttpRoute, pair: Pair, percent: number): boolean {
  return route.spec.rules
    .filter(rule => splits(rule, pair))
    .every(({ backendRefs }) =>
      backendRefs.every(ref => ref.weight === weightOf(ref.name, pair, percent, ref.weight)),
    );
}

/** The rules with the canary at this share. Rules that do not know both Services are other people's and stay. */
export function rulesWith(route: HttpRoute, pair: Pair, percent: number): HttpRoute['spec']['rules'] {
  return route.spec.rules.map(rule =>
    splits(rule, pair)
      ? {
          ...rule,
          backendRefs: rule.backendRefs.map(ref => ({
            ...ref,
            weight: weightOf(ref.name, pair, percent, ref.weight),
          })),
        }
      : rule,
  );
}

export function portOf(route: HttpRoute | undefined, service: string): number | undefined {
  return route?.spec.rules.flatMap(rule => rule.backendRefs).find(ref => ref.name === service)?.port;
}

function splits(rule: HttpRoute['spec']['rules'][number], pair: Pair): boolean {
  return [pair.stable, pair.canary].every(name => rule.backendRefs.some(ref => ref.name === name));
}

function weightOf(name: string, pair: Pair, percent: number, otherwise: number): number {
  if (name === pair.stable) return 100 - percent;
  return name === pair.canary ? percent : otherwise;
}

/** Canary pods that can carry this share of what `scale` stable pods carry. */
export function replicasToCarry(scale: number, percent: number): number {
  return Math.max(1, Math.ceil((scale * percent) / 100));
}

/**
 * Where no route splits the traffic, pods behind one Service do, each taking the same. The canary gets at most its
 * share, but at least one pod; neither side gets more pods than the service has.
 */
export function replicaRatio(scale: number, percent: number): { stable: number; canary: number } {
  if (percent <= 0) return { stable: scale, canary: 0 };
  if (percent >= 100) return { stable: 0, canary: scale };
  const canary = Math.min(scale, Math.max(1, Math.floor((scale * percent) / (100 - percent))));
  const stable = Math.min(scale, Math.max(1, Math.ceil((canary * (100 - percent)) / percent)));
  return { stable, canary };
}
