import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import { metricTarget } from '../metrics/metric-target.ts';
import type { Window } from '../metrics/reading.ts';
import { blame } from '../rollout/judge.ts';
import type { Observed } from '../rollout/observed.ts';
import { lookSeconds } from '../rollout/plan.ts';
import type { Rollout } from '../rollout/record.ts';

/**
 * What the metrics say about the canaries of a wave. Metrics that cannot be read are none.
 *
 * @param window since when the canaries have had traffic, and until when the judge knows it already
 */
export async function observe(
  deps: Dependencies,
  rollout: Rollout,
  wave: number,
  window: Omit<Window, 'untilMs'>,
): Promise<Observed> {
  const { slo, strategy, targets } = rollout.spec;
  const members = strategy.waves[wave] ?? [];
  const specs = targets.filter(({ name }) => members.includes(name));
  try {
    const reading = await deps.measure(
      specs.flatMap(spec => metricTarget(rollout, spec)),
      { ...window, untilMs: deps.nowMs() },
      {
        latencyThresholdMs: slo.latency && slo.latency.threshold * 1000,
        periodMs: lookSeconds(rollout.spec) * 1000,
      },
    );
    for (const warning of reading.warnings)
      deps.log('WARNING', warning, { rollout: rollout.id, service: rollout.service });
    const observed = specs.map(({ name }) => {
      const { architecture, weight = 0 } = rollout.targets[name] ?? {};
      return [name, { architecture, weight, blocks: reading.targets[name] ?? [] }] as const;
    });
    return { targets: Object.fromEntries(observed), newestPointMs: reading.newestPointMs };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const { id, service } = rollout;
    deps.log('ERROR', `the judge has no metrics: ${error.message}`, {
      rollout: id,
      service,
      code: error.code,
    });
    return { targets: {}, newestPointMs: undefined };
  }
}

const BLAME_WINDOW_MS = 10 * 60_000;
/** An alert does not wait longer for an answer. */
const BLAME_TIMEOUT_MS = 5000;

/** Who burns, the canary or everybody: from what the last minutes show, if that can be had at once. */
export async function blameNow(deps: Dependencies, rollout: Rollout): Promise<ReturnType<typeof blame>> {
  const { judge: rules, slo, strategy } = rollout.spec;
  if (rules === 'off' || rollout.servingSinceMs === undefined) return 'unsure';
  const nowMs = deps.nowMs();
  const sinceMs = Math.max(rollout.servingSinceMs, nowMs - BLAME_WINDOW_MS);
  const observed = await Promise.race([
    observe(deps, rollout, rollout.position.wave, { sinceMs }),
    new Promise<undefined>(resolve => {
      setTimeout(() => resolve(undefined), BLAME_TIMEOUT_MS).unref();
    }),
  ]);
  if (!observed) return 'unsure';
  const setting = { rules, availability: slo.availability, waves: strategy.waves.length };
  return blame(observed, setting, nowMs);
}
