import type { Dependencies } from '../dependencies.ts';
import { SlipwayError } from '../errors.ts';
import type { MetricTarget, Reading } from '../metrics/monitoring.ts';
import { readWorld } from '../orchestrator.ts';
import { type Judgement, judge, type Measurement } from '../rollout/judge.ts';
import { lookSeconds } from '../rollout/plan.ts';
import type { TargetSpec } from '../rollout/policy.ts';
import type { Rollout } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { applyAsOwner, FENCED, owns, type Reply, type Request, revisionOn } from './run.ts';

/** After a day at a gate a fresh execution goes on: one has 100,000 steps, and a look costs it eight. */
const MAX_AGE_MS = 24 * 3_600_000;
const MAX_LOOKS = 8000;

/** One look of a rollout that waits: what do the record and the judge say? */
export async function look(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const judgement = await judgeWave(deps, world.rollout, request.wave);
  const { wave, step, callback } = request;
  const position = { wave, step };
  const after = await applyAsOwner(deps, request, (before, nowMs) =>
    transition(before, { type: 'looked', position, judgement, callback }, nowMs),
  );
  if (!after) return FENCED;
  const { rollout } = after;
  if (rollout.phase === 'RollingBack') return { status: 'failed', message: rollout.message };
  if (rollout.position.wave !== wave || rollout.position.step !== step)
    return { status: 'done', message: 'go on' };
  if (isOld(rollout, deps.nowMs())) return handOver(deps, request);
  return { status: 'again', message: rollout.message };
}

function isOld({ owner, spec }: Rollout, nowMs: number): boolean {
  const maxAgeMs = Math.min(MAX_AGE_MS, MAX_LOOKS * lookSeconds(spec) * 1000);
  return owner !== undefined && nowMs - owner.sinceMs > maxAgeMs;
}

async function handOver(deps: Dependencies, request: Request): Promise<Reply> {
  await applyAsOwner(deps, request, (world, nowMs) => transition(world, { type: 'handedOver' }, nowMs));
  return { status: 'fenced', message: 'a successor goes on from here' };
}

/** Judges the canaries of a wave together, over the time since they first got traffic. */
async function judgeWave(deps: Dependencies, rollout: Rollout, wave: number): Promise<Judgement | undefined> {
  const { judge: rules, slo, strategy } = rollout.spec;
  if (rules === 'off' || rollout.servingSinceMs === undefined) return undefined;
  const members = strategy.waves[wave] ?? [];
  const specs = rollout.spec.targets.filter(({ name }) => members.includes(name));
  const untilMs = deps.nowMs();
  const window = { sinceMs: rollout.servingSinceMs, untilMs };
  const slowMs = slo.latency && slo.latency.threshold * 1000;
  const measured = await measure(
    deps,
    specs.flatMap(spec => metricTarget(rollout, spec)),
    window,
    slowMs,
  );
  return judge(measured, rules, slo.availability, untilMs);
}

/** Metrics that cannot be read are the verdict `Error`, not a failure of the look. */
async function measure(
  deps: Dependencies,
  targets: readonly MetricTarget[],
  window: { sinceMs: number; untilMs: number },
  slowMs: number | undefined,
): Promise<Measurement> {
  try {
    return pool(await deps.measure(targets, window, slowMs));
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    deps.log('ERROR', `the judge has no metrics: ${error.message}`);
    return { canary: { good: 0, bad: 0 }, stable: { good: 0, bad: 0 }, newestPointMs: undefined };
  }
}

function pool({ targets, newestPointMs }: Reading): Measurement {
  const sum = { canary: { good: 0, bad: 0 }, stable: { good: 0, bad: 0 } };
  for (const { canary, stable } of Object.values(targets)) {
    sum.canary = { good: sum.canary.good + canary.good, bad: sum.canary.bad + canary.bad };
    sum.stable = { good: sum.stable.good + stable.good, bad: sum.stable.bad + stable.bad };
  }
  return { ...sum, newestPointMs };
}

function metricTarget(rollout: Rollout, spec: TargetSpec): MetricTarget[] {
  const { name, cloudRun, gke } = spec;
  if (cloudRun) {
    const stable = rollout.targets[name]?.stable?.revision;
    return [{ name, kind: 'cloudRun', ...cloudRun, canary: revisionOn(rollout, spec), stable }];
  }
  if (!gke) return [];
  const [, project = '', , location = '', , cluster = ''] = gke.cluster.split('/');
  const { namespace, deployment } = gke;
  return [
    {
      name,
      kind: 'gke',
      project,
      location,
      cluster,
      namespace,
      canary: `${deployment}-canary`,
      stable: deployment,
    },
  ];
}
