/**
 * The rollout in a sentence: what happens where, whether it is healthy, and what it waits for.
 *
 * @import { RolloutView, ShownRollout } from '../contract.ts'
 * @import { Step } from '../../rollout/policy.ts'
 */
import { listed, plural, span } from './format.js';

/** @typedef {{ readonly what: string, readonly health: string, readonly waits: string }} Headline */

/**
 * @param {RolloutView} view
 * @param {number} nowMs
 * @returns {Headline}
 */
export function headline(view, nowMs) {
  return {
    what: whatHappens(view.rollout),
    health: health(view.rollout),
    waits: whatItWaitsFor(view, nowMs),
  };
}

/** @param {ShownRollout} rollout */
function whatHappens(rollout) {
  const { tag, service, phase, spec } = rollout;
  const touched = touchedTargets(rollout);
  switch (phase) {
    case 'Pending':
      return `${tag} of ${service} has not begun.`;
    case 'RollingBack':
      return `${tag} is being taken back from ${listed(touched)}.`;
    case 'Healthy':
      return `${tag} serves everything on ${listed(spec.targets.map(({ name }) => name))}.`;
    case 'Degraded':
      return touched.length > 0
        ? `${tag} was taken back. What served before serves again${exceptOn(rollout)}.`
        : `${tag} was called off before it touched a target.`;
    case 'Rejected':
      return `${tag} was refused. No target was touched.`;
    case 'Superseded':
      return `${tag} made room for a newer push.`;
    case 'Progressing':
    case 'Paused':
      return whatMoves(rollout, touched);
  }
}

/**
 * @param {ShownRollout} rollout
 * @param {readonly string[]} touched
 */
function whatMoves(rollout, touched) {
  const { tag, service } = rollout;
  if (touched.length === 0) return `${tag} of ${service} begins; no target is touched yet.`;
  if (isFirst(rollout)) return `${tag} is the first of ${service}: it goes straight to 100 %.`;
  const shares = sharesOf(rollout);
  if (shares.length === 0) return `${tag} is being made ready on ${listed(touched)}, without traffic.`;
  return `${tag} gets ${shares.map(({ weight, names }) => `${weight} % on ${listed(names)}`).join(', ')}.`;
}

/**
 * Targets of equal weight together, the largest first.
 *
 * @param {ShownRollout} rollout
 */
export function sharesOf({ targets }) {
  /** @type {Map<number, string[]>} */
  const names = new Map();
  for (const [name, { weight, isTouched }] of Object.entries(targets)) {
    if (isTouched && weight > 0) names.set(weight, [...(names.get(weight) ?? []), name]);
  }
  return [...names].map(([weight, names]) => ({ weight, names })).sort((a, b) => b.weight - a.weight);
}

/** @param {ShownRollout} rollout */
export function touchedTargets({ targets }) {
  return Object.keys(targets).filter(name => targets[name]?.isTouched);
}

/** @param {ShownRollout} rollout */
function exceptOn({ targets }) {
  const lost = Object.keys(targets).filter(name => targets[name]?.status === 'Failed');
  return lost.length > 0 ? `, but NOT on ${listed(lost)}` : '';
}

/**
 * A service without anything that served before has nothing to compare with.
 *
 * @param {ShownRollout} rollout
 */
export function isFirst({ targets }) {
  const states = Object.values(targets);
  return states.length > 0 && states.every(({ stable }) => stable === null);
}

/** @param {ShownRollout} rollout */
function health(rollout) {
  const { phase, judgement, spec, cause } = rollout;
  if (phase === 'RollingBack' || phase === 'Degraded') return cause ? '' : 'Why is in the events below.';
  if (phase === 'Healthy') return windowSentence(rollout);
  if (phase !== 'Progressing' && phase !== 'Paused') return '';
  if (spec.judge === 'off') return 'Nobody judges it: the policy has the judge off, only SLO alerts watch.';
  if (isFirst(rollout)) return 'There is nothing to compare it with.';
  if (!judgement) return rollout.servingSinceMs ? 'The judge has not looked yet.' : '';
  switch (judgement.verdict) {
    case 'Successful':
      return 'It is healthy so far: as good as stable.';
    case 'Failed':
      return 'It is NOT healthy: worse than it may be.';
    case 'Error':
      return 'Whether it is healthy is unknown: it could not be measured.';
    case 'Inconclusive':
      return judgement.missing
        ? `No trouble seen, but ${plural(judgement.missing.requests, 'more request')} of the canary ${judgement.missing.requests === 1 ? 'is' : 'are'} needed to be sure.`
        : 'No trouble seen, but it is too close to the limit to be sure.';
  }
}

/** @param {ShownRollout} rollout */
function windowSentence({ windowEndsMs }) {
  return windowEndsMs === undefined ? 'Its way back is closed.' : '';
}

/**
 * @param {RolloutView} view
 * @param {number} nowMs
 */
function whatItWaitsFor({ rollout, service }, nowMs) {
  const { phase, windowEndsMs, heldBy, pause } = rollout;
  if (phase === 'Healthy' && windowEndsMs !== undefined) {
    return windowEndsMs > nowMs
      ? `For ${span(windowEndsMs - nowMs)} more an SLO alert takes it back, and so can you.`
      : 'Its way back is about to close.';
  }
  if (phase === 'RollingBack') return waitsForRestore(rollout);
  if (phase !== 'Pending' && phase !== 'Progressing' && phase !== 'Paused') return '';
  if (service.frozen) return `It waits: ${service.frozen.by} froze the service.`;
  if (heldBy) return `It waits: ${heldBy} paused it, and somebody has to resume it.`;
  if (phase === 'Pending') return service.waiting === rollout.id ? 'It waits for its turn.' : '';
  if (pause) return waitsAtPause(rollout, nowMs);
  const busy = Object.entries(rollout.targets).filter(([, { status }]) => BUSY.has(status));
  return busy.length > 0 ? `It waits for ${listed(busy.map(([name]) => name))}.` : '';
}

/** @type {ReadonlySet<string>} */
const BUSY = new Set(['Deploying', 'Ready', 'Shifting', 'Promoting']);

/** @param {ShownRollout} rollout */
function waitsForRestore(rollout) {
  const open = Object.entries(rollout.targets).filter(
    ([, { isTouched, status }]) => isTouched && status !== 'Restored' && status !== 'Settled',
  );
  return open.length > 0
    ? `It waits until ${listed(open.map(([name]) => name))} confirmed that stable serves.`
    : '';
}

/**
 * @param {ShownRollout} rollout
 * @param {number} nowMs
 */
function waitsAtPause({ pause, judgement, spec }, nowMs) {
  if (!pause) return '';
  if (pause.promotedBy) return `${pause.promotedBy} let it go on.`;
  if (pause.untilMs === undefined)
    return `It waits for a person to promote it, at the gate of ${pause.gate}.`;
  if (pause.untilMs > nowMs) return `It waits another ${span(pause.untilMs - nowMs)} at ${pause.gate}.`;
  if (spec.judge === 'off' || judgement?.verdict === 'Successful') return `It goes on from ${pause.gate}.`;
  return `Its pause is over at ${pause.gate}: it waits for the judge, or for you to promote or abort it.`;
}

/** @param {Step} step */
export function stepWord(step) {
  if ('setWeight' in step) return `${step.setWeight} %`;
  return step.pause.duration === undefined ? 'gate' : `wait ${span(step.pause.duration * 1000)}`;
}

/**
 * What comes after the present step, as a sentence's end.
 *
 * @param {ShownRollout} rollout
 */
export function nextAfter({ spec, position }) {
  const { steps, waves } = spec.strategy;
  const members = listed(waves[position.wave] ?? []);
  const next = steps[position.step + 1];
  if (next === undefined) {
    const following = waves[position.wave + 1];
    return `100 % on ${members}${following ? `, and then wave ${position.wave + 2}: ${listed(following)}` : ''}`;
  }
  return 'setWeight' in next ? `${next.setWeight} % on ${members}` : `the next step, ${stepWord(next)}`;
}
