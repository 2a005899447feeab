import type { Part } from './counts.ts';
import type { Recorded, Served } from './recorder.ts';
import { sum, times, type Use } from './use.ts';

/** What one thing of each kind uses. */
export interface Parts {
  readonly fixed: Part;
  readonly wave: Part;
  /** Without the polls. */
  readonly cloudRun: Part;
  readonly gke: Part;
  /** One that finds it is not the time yet. */
  readonly look: Part;
  readonly pollCloudRun: Part;
  readonly pollGke: Part;
  readonly restore: Part;
}

export interface PlayedShape {
  readonly waves: number;
  readonly targets: number;
  /** Their names. */
  readonly gke: readonly string[];
}

type Group = 'fixed' | 'wave' | 'cloudRun' | 'gke' | 'look' | 'restore' | 'notify';

const WAVE_ACTIVITIES: ReadonlySet<string> = new Set(['clearance', 'stepDone', 'waveDone']);
/** Steps of `main` that are there once per target. */
const TARGET_STEPS: ReadonlySet<string> = new Set([
  ...[
    'main.arm',
    'main.settle_what_was_before',
    'main.deploy',
    'main.probe',
    'main.set_weight',
    'main.promote',
  ],
  'main.restore',
]);
/** And those that are there once per wave, or per step of a wave. */
const WAVE_STEPS: ReadonlySet<string> = new Set([
  ...['main.may_the_wave_begin', 'main.deploy_canaries', 'main.each_step', 'main.weight_or_pause'],
  ...['main.may_the_weight_rise', 'main.set_weights', 'main.all_are_there', 'main.may_it_be_promoted'],
  ...['main.promote_wave', 'main.wave_done'],
]);

/** Of a poll: the call of the activity, and the rest until the next. */
const POLL_STEPS = 7;
/** Of a look that does not end the pause; one of them is the wait. */
const LOOK_STEPS = 8;

/** Splits what was recorded by what it grows with. */
export function partsOf(recorded: Recorded, { waves, targets, gke }: PlayedShape): Parts {
  const groups = Map.groupBy(recorded.served, served => groupOf(served, gke));
  const of = (group: Group, isWaiting?: boolean) =>
    (groups.get(group) ?? []).filter(served => isWaiting === undefined || isPoll(served) === isWaiting);
  const steps = stepsOf(recorded);
  const polls = [...of('cloudRun', true), ...of('gke', true)].length;
  const own = (steps.target - polls * POLL_STEPS) / targets;
  const part = (served: readonly Served[], per: number, internal: number, external = 0): Part => {
    if (per === 0 || served.length === 0) return {};
    const used = times(sum(served.map(({ use }) => use)), 1 / per);
    const stepped = { 'steps.internal': internal, 'steps.external': external };
    return rounded(sum([used, stepped, notified(recorded, used)]));
  };
  const average = (served: readonly Served[], internal: number, external = 0) =>
    part(served, served.length, internal, external);
  const looks = of('look', true).length;
  return {
    fixed: part(of('fixed'), 1, steps.fixed),
    // What ends a pause, and opened it, is the wave's.
    wave: part(
      [...of('wave'), ...of('look', false)],
      waves,
      (steps.wave + steps.look - looks * LOOK_STEPS) / waves,
    ),
    cloudRun: part(of('cloudRun', false), targets - gke.length, own),
    gke: part(of('gke', false), gke.length, own),
    look: average(of('look', true), LOOK_STEPS - 1, 1),
    pollCloudRun: average(of('cloudRun', true), POLL_STEPS),
    pollGke: average(of('gke', true), POLL_STEPS),
    restore: part(of('restore'), targets, steps.target / targets),
  };
}

/** It asked and changed nothing; the call that changes a target answers `again`, too. */
export function isPoll({ isAgain, use }: Served): boolean {
  return isAgain && !use['run.write'] && !use['kubernetes.write'] && !use['compute.write'];
}

function groupOf({ name, activity, target }: Served, gke: readonly string[]): Group {
  if (name === 'notify') return 'notify';
  if (target !== '') return gke.includes(target) ? 'gke' : 'cloudRun';
  if (activity === 'look' || activity === 'restore') return activity;
  return WAVE_ACTIVITIES.has(activity) ? 'wave' : 'fixed';
}

/** Every event that is published is pushed to the function `notify`. */
function notified({ served }: Recorded, use: Use): Use {
  const notices = served.filter(({ name }) => name === 'notify');
  const events = use['pubsub.write'] ?? 0;
  return times(sum(notices.map(notice => notice.use)), notices.length === 0 ? 0 : events / notices.length);
}

function stepsOf({ steps }: Recorded) {
  const counted = { fixed: 0, wave: 0, target: 0, look: 0 };
  for (const [stack, count] of steps) {
    const main = stack.split(' ')[0] ?? '';
    if (stack.includes(' wait.')) counted.look += count;
    else if (TARGET_STEPS.has(main)) counted.target += count;
    else if (WAVE_STEPS.has(main)) counted.wave += count;
    else counted.fixed += count;
  }
  return counted;
}

export function useOf(recorded: Recorded, isWanted: (served: Served) => boolean = () => true): Part {
  return rounded(sum(recorded.served.filter(isWanted).map(({ use }) => use)));
}

/** Everything, steps too. */
export function totalOf(recorded: Recorded): Part {
  let [internal, external] = [0, 0];
  for (const [stack, count] of recorded.steps) {
    if (stack.endsWith(' wait.until_poked_or_time_to_look')) external += count;
    else internal += count;
  }
  return rounded(sum([useOf(recorded), { 'steps.internal': internal, 'steps.external': external }]));
}

export function rounded(use: Use): Part {
  const entries = Object.entries(use).map(([name, many]) => [name, Math.round(many * 100) / 100] as const);
  return Object.fromEntries(entries.filter(([, many]) => many !== 0).sort(([a], [b]) => a.localeCompare(b)));
}
