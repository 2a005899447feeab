import type { Dependencies } from '../dependencies.ts';
import { readWorld } from '../orchestrator.ts';
import { holdOf } from '../rollout/holds.ts';
import { judge } from '../rollout/judge.ts';
import type { Rollout } from '../rollout/record.ts';
import { transition } from '../rollout/state.ts';
import { blameNow, observe } from './observe.ts';
import { applyAsOwner, askAgain, FENCED, owns, type Reply, type Request } from './run.ts';

/** One look of a rollout that waits: what do the record and the judge say? */
export async function look(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const { wave, step, callback } = request;
  const judged = await judgeWave(deps, world.rollout);
  const position = { wave, step };
  const after = await applyAsOwner(deps, request, (before, nowMs) =>
    transition(before, { type: 'looked', position, ...judged, callback }, nowMs),
  );
  if (!after) return FENCED;
  const { rollout } = after;
  if (rollout.phase === 'RollingBack') return { status: 'failed', message: rollout.message };
  if (rollout.position.wave !== wave || rollout.position.step !== step)
    return { status: 'done', message: 'go on' };
  return askAgain(deps, request, rollout);
}

/** Whether the next thing may begin. While the rollout is held the judge goes on looking. */
export async function clearance(deps: Dependencies, request: Request): Promise<Reply> {
  const world = await readWorld(deps, request.rollout);
  if (!owns(world, request)) return FENCED;
  const isHeld = holdOf(world, deps.nowMs()) !== undefined;
  const clear: Reply = { status: 'done', message: 'nothing holds it' };
  const isAtGate = world.rollout.pause !== undefined;
  if (!isHeld && (world.rollout.phase !== 'Paused' || isAtGate)) return clear;
  const judged = isHeld ? await judgeWave(deps, world.rollout) : keep(world.rollout);
  const { callback } = request;
  const after = await applyAsOwner(deps, request, (before, nowMs) =>
    transition(before, { type: 'cleared', ...judged, callback }, nowMs),
  );
  if (!after) return FENCED;
  const { rollout } = after;
  if (rollout.phase === 'RollingBack') return { status: 'failed', message: rollout.message };
  return holdOf(after, deps.nowMs()) === undefined ? clear : askAgain(deps, request, rollout);
}

function keep({ evidence }: Rollout) {
  return { judgement: undefined, evidence, blamed: undefined };
}

/** Judges the canaries of the present wave, over the time since they first got traffic. */
async function judgeWave(deps: Dependencies, rollout: Rollout) {
  const { judge: rules, slo, strategy } = rollout.spec;
  const { servingSinceMs, evidence: before } = rollout;
  if (rules === 'off' || servingSinceMs === undefined) return keep(rollout);
  const window = { sinceMs: servingSinceMs, knownUntilMs: before?.untilMs };
  const observed = await observe(deps, rollout, rollout.position.wave, window);
  const setting = { rules, availability: slo.availability, waves: strategy.waves.length };
  const { judgement, evidence } = judge(before, observed, setting, deps.nowMs());
  const isBurn = judgement.verdict === 'Failed' && judgement.because === 'burn';
  const mayBeEverybody = isBurn && strategy.onBurn === 'attribute';
  return { judgement, evidence, blamed: mayBeEverybody ? await blameNow(deps, rollout) : undefined };
}
