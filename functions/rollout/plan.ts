import type { Service, Step } from './policy.ts';
import type { Position, Rollout } from './record.ts';

/** What is left to do, as the workflow gets it: waves from the record's position on. Indexes count from 0. */
export interface RemainingWave {
  readonly wave: number;
  readonly targets: readonly string[];
  readonly steps: readonly RemainingStep[];
}

export type RemainingStep =
  | { readonly step: number; readonly kind: 'setWeight'; readonly weight: number }
  | { readonly step: number; readonly kind: 'pause' };

/** A rollout that begins again (its execution died, or was 24 h old) goes on where the record stands. */
export function remainingWaves({ spec, position, isFull, targets }: Rollout): RemainingWave[] {
  const steps = isFirst(targets) || isFull ? [] : spec.strategy.steps;
  return spec.strategy.waves
    .map((members, wave) => ({
      wave,
      targets: members,
      steps: steps.map(remainingStep).filter(({ step }) => wave > position.wave || step >= position.step),
    }))
    .filter(({ wave }) => wave >= position.wave);
}

function remainingStep(one: Step, step: number): RemainingStep {
  return 'setWeight' in one ? { step, kind: 'setWeight', weight: one.setWeight } : { step, kind: 'pause' };
}

/** A service without a stable anywhere has nothing to compare with: it goes straight to 100 %. */
export function isFirst(targets: Rollout['targets']): boolean {
  return Object.values(targets).every(({ stable }) => stable === null);
}

export function stepAt({ strategy }: Service, { step }: Position): Step | undefined {
  return strategy.steps[step];
}

/** Seconds between two calls of an activity that answered `again`: short deadlines are watched closely. */
export function pollSeconds({ strategy }: Pick<Service, 'strategy'>): number {
  return Math.min(5, Math.max(0.2, strategy.progressDeadline / 100));
}

/** Seconds between two looks of a waiting rollout, unless it is poked. */
export function lookSeconds({ judge, strategy }: Service): number {
  return judge === 'off' ? 6 * pollSeconds({ strategy }) : judge.interval;
}

/** Of the 20 branches that Cloud Workflows runs at once. Fewer groups also mean fewer changes of one record at a time. */
const MOST_GROUPS = 10;

/** The targets in as many groups as are worked on at once: one each, while there are few. */
export function inGroups(targets: readonly string[]): string[][] {
  const count = Math.min(MOST_GROUPS, targets.length);
  return Array.from({ length: count }, (_, group) => targets.filter((_, index) => index % count === group));
}
