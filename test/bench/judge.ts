import { parseArgs } from 'node:util';
import { markdown } from './judge/markdown.ts';
import { randomFrom } from './judge/random.ts';
import { RULES } from './judge/rules.ts';
import { minutesOf, type Scene, type Stop, settingOf, type Watched } from './judge/watch.ts';
import { differences, lookUntil } from './judge/whole.ts';
import { Watchers } from './judge/workers.ts';

const TRAFFIC = [1, 10, 1000];
const STABLE_RATIOS = [0.001, 0.005, 0.01];
const WEIGHTS = [0.05, 0.25];
const AIM = 0.01;

/** The same rule with the number of failed checks that takes back at most 1 % of the healthy canaries of the scene. */
const HELD = ', held to 1 %';

/** How bad a canary is beside stable. */
const SICK: readonly { readonly name: string; readonly ratio: (stable: number) => number }[] = [
  { name: '2×', ratio: stable => 2 * stable },
  { name: '5×', ratio: stable => 5 * stable },
  { name: '20 %', ratio: () => 0.2 },
];

interface Options {
  readonly runs: number;
  readonly sick: number;
  readonly seed: number;
}

/**
 * The judge on simulated canaries, next to rules of other tools.
 *
 * @returns whether at most one healthy canary in a hundred is failed, and sick ones have served no more bad requests than
 *   under the rules that fail as few healthy ones
 */
export async function benchJudge(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '10000' },
      sick: { type: 'string', default: '400' },
      seed: { type: 'string', default: '1' },
    },
  });
  const options = { runs: Number(values.runs), sick: Number(values.sick), seed: Number(values.seed) };
  if (!isAsTheJudge()) return false;
  await using watchers = new Watchers();
  const healthy = await watchHealthy(watchers, options);
  console.log(`${falseAlarms(healthy)}\n`);
  const limit = await watchAtLimit(watchers, options);
  console.log(`${limit}\n`);
  const sick = await watchSick(watchers, healthy, options);
  for (const weight of WEIGHTS) console.log(`${badRequests(sick, weight)}\n`);
  console.log(`${untilSuccessful(options)}\n`);
  const isQuiet = healthy.every(({ judged }) => judged[0] !== undefined && judged[0] <= AIM);
  return compare(sick) && isQuiet;
}

/** The bench plays the judge's bets without the rest of it; a sample is judged in full. */
function isAsTheJudge(): boolean {
  const scenes = TRAFFIC.flatMap(requestsPerSecond =>
    SICK.map(({ ratio }) => ({
      requestsPerSecond,
      weight: 0.05,
      stableRatio: 0.005,
      canaryRatio: ratio(0.005),
    })),
  );
  const found = differences(scenes, 6);
  for (const difference of found) console.log(`The bench's judge is not the judge. ${difference}`);
  return found.length === 0;
}

/** Canaries of one scene, and what the rules made of them. */
interface Healthy {
  readonly scene: Scene;
  readonly canaries: number;
  /** Share that was failed with the margins 0 and 1. */
  readonly judged: readonly number[];
  /** By rule: share that was taken back, and the number of checks at which at most 1 % would be. */
  readonly rules: readonly { readonly share: number; readonly heldTo: number }[];
}

async function watchHealthy(watchers: Watchers, { runs, seed }: Options): Promise<Healthy[]> {
  const scenes = scenesOf(stable => stable);
  return Promise.all(
    scenes.map(async (scene, number) => {
      const canaries = scene.weight === WEIGHTS[0] ? runs : Math.ceil(runs / 5);
      const limits = RULES.map(() => [Number.POSITIVE_INFINITY]);
      const few = Math.ceil(runs / 10);
      const task = { scene, seed: seed * 1000 + number, limits };
      const both = await watchers.watch({ ...task, from: 0, to: few, margins: [0, 1] });
      const rest = await watchers.watch({ ...task, from: few, to: canaries, margins: [0] });
      return summary(scene, both, [...both, ...rest]);
    }),
  );
}

function summary(scene: Scene, both: readonly Watched[], all: readonly Watched[]): Healthy {
  const failed = (watched: readonly Watched[], margin: number) =>
    watched.filter(({ judged }) => judged[margin]).length / watched.length;
  return {
    scene,
    canaries: all.length,
    judged: [failed(all, 0), failed(both, 1)],
    rules: RULES.map(({ failedChecks }, rule) => {
      const counts = all.map(watched => watched.failedChecks[rule] ?? 0);
      return {
        share: counts.filter(count => count >= failedChecks).length / counts.length,
        heldTo: quantile(counts, 1 - AIM) + 1,
      };
    }),
  };
}

function falseAlarms(healthy: readonly Healthy[]): string {
  const head = ['requests/s', 'stable', 'canary at', 'canaries', 'Slipway, margin 0', 'Slipway, margin 1'];
  const rows = healthy.map(({ scene, canaries, judged, rules }) => [
    ...describe(scene),
    String(canaries),
    ...judged.map(share => percent(share)),
    ...rules.map(({ share }) => percent(share)),
  ]);
  return `Healthy canaries failed within 24 h\n\n${markdown([[...head, ...RULES.map(({ name }) => name)], ...rows])}`;
}

/** As much worse than stable as the margin bears: the hardest that is still to pass. */
async function watchAtLimit(watchers: Watchers, { runs, seed }: Options): Promise<string> {
  const limits = RULES.map(() => []);
  const scenes = scenesOf(stable => stable + 0.01).filter(({ weight }) => weight === WEIGHTS[0]);
  const rows = await Promise.all(
    scenes.map(async (scene, number) => {
      const task = { scene, seed: seed * 1000 + 400 + number, from: 0, to: Math.ceil(runs / 10) };
      const watched = await watchers.watch({ ...task, margins: [1], limits });
      const share = watched.filter(({ judged }) => judged[0]).length / watched.length;
      return [...describe(scene), String(watched.length), percent(share)];
    }),
  );
  const head = ['requests/s', 'stable', 'canary at', 'canaries', 'Slipway, margin 1'];
  return `Canaries one percentage point worse than stable failed within 24 h\n\n${markdown([head, ...rows])}`;
}

/** Bad requests until a rule took the canary back, and how many healthy ones that rule takes back. */
interface Column {
  readonly name: string;
  readonly falseAlarms: number;
  readonly stops: readonly (Stop | undefined)[];
}

interface Sick {
  readonly scene: Scene;
  readonly name: string;
  readonly columns: readonly Column[];
}

async function watchSick(
  watchers: Watchers,
  healthy: readonly Healthy[],
  { sick, seed }: Options,
): Promise<Sick[]> {
  const cells = SICK.flatMap(({ name, ratio }) => scenesOf(ratio).map(scene => ({ name, scene })));
  return Promise.all(
    cells.map(async ({ name, scene }, number) => {
      const same = healthy.find(each => isSame(each.scene, scene));
      if (!same) throw new Error(`there are no healthy canaries like ${JSON.stringify(scene)}`);
      const limits = RULES.map(({ failedChecks }, rule) => [failedChecks, same.rules[rule]?.heldTo ?? 0]);
      const task = { scene, seed: seed * 1000 + 500 + number, from: 0, to: sick };
      const watched = await watchers.watch({ ...task, margins: [0, 1], limits });
      return { name, scene, columns: columnsOf(watched, same) };
    }),
  );
}

function columnsOf(watched: readonly Watched[], { judged, rules }: Healthy): Column[] {
  return [
    ...judged.map((share, margin) => ({
      name: `Slipway, margin ${margin}`,
      falseAlarms: share,
      stops: watched.map(each => each.judged[margin]),
    })),
    ...RULES.flatMap(({ name }, rule) => [
      {
        name,
        falseAlarms: rules[rule]?.share ?? 1,
        stops: watched.map(({ stopped }) => stopped[rule]?.[0]),
      },
      {
        name: `${name}${HELD}`,
        falseAlarms: AIM,
        stops: watched.map(({ stopped }) => stopped[rule]?.[1]),
      },
    ]),
  ];
}

function badRequests(sick: readonly Sick[], weight: number): string {
  const chosen = sick
    .filter(({ scene }) => scene.weight === weight)
    .toSorted(
      (a, b) =>
        a.scene.requestsPerSecond - b.scene.requestsPerSecond || a.scene.stableRatio - b.scene.stableRatio,
    );
  const head = ['requests/s', 'stable', 'canary', ...(chosen[0]?.columns.map(({ name }) => name) ?? [])];
  const rows = chosen.map(({ scene, name, columns }) => [
    String(scene.requestsPerSecond),
    percent(scene.stableRatio, 1),
    name,
    ...columns.map(cell),
  ]);
  const title = `Bad requests until the canary at ${percent(weight, 0)} was taken back: median / 90th percentile of ${chosen[0]?.columns[0]?.stops.length} canaries (share never within 24 h); † takes more than 1 % of healthy ones back`;
  return `${title}\n\n${markdown([head, ...rows])}`;
}

function cell({ stops, falseAlarms }: Column): string {
  const never = stops.filter(stop => !stop).length / stops.length;
  const missed = never === 0 ? '' : ` (${percent(never, never < 0.01 || never > 0.99 ? 1 : 0)})`;
  const numbers = never === 1 ? 'never' : `${sayBad(stops, 0.5)} / ${sayBad(stops, 0.9)}${missed}`;
  return `${numbers}${falseAlarms > AIM ? ' †' : ''}`;
}

function sayBad(stops: readonly (Stop | undefined)[], share: number): string {
  const count = badAt(stops, share);
  return Number.isFinite(count) ? String(count) : '–';
}

/** A canary that is never taken back serves more bad requests than any other. */
function badAt(stops: readonly (Stop | undefined)[], share: number): number {
  return quantile(
    stops.map(stop => stop?.bad ?? Number.POSITIVE_INFINITY),
    share,
  );
}

/** Requests a canary as good as stable needs until it is Successful. */
function untilSuccessful({ sick, seed }: Options): string {
  const rows = [0.001, 0.005, 0.01].flatMap(stableRatio =>
    [0.5, 1, 2, 5].map(margin => {
      const scene = { requestsPerSecond: 10, weight: 0.05, stableRatio, canaryRatio: stableRatio };
      const requests = Array.from({ length: Math.ceil(sick / 4) }, (_, canary) => {
        const next = minutesOf(scene, randomFrom(seed, canary, 900));
        return lookUntil('Successful', next, settingOf(margin), scene.weight)?.requests ?? Infinity;
      });
      const median = quantile(requests, 0.5);
      const times = [1, 10, 100, 1000].map(perSecond => span(Math.max(median / (perSecond * 0.05), 60)));
      return [percent(stableRatio, 1), String(margin), `${median} / ${quantile(requests, 0.9)}`, ...times];
    }),
  );
  const head = [
    'stable and canary',
    'margin',
    'canary requests',
    ...[1, 10, 100, 1000].map(n => `at ${n}/s`),
  ];
  return `Canary requests until Successful, median / 90th percentile, and the time for the median at a weight of 5 %\n\n${markdown([head, ...rows])}`;
}

/**
 * Says where a rule that fails at most 1 % of the healthy canaries has served fewer bad requests, by the median.
 *
 * @returns whether there is no such case of a rule as it is documented
 */
function compare(sick: readonly Sick[]): boolean {
  const cases = sick.flatMap(({ scene, name, columns: [ours, , ...others] }) =>
    others.map(other => ({
      name: `${describe(scene).join(', ')}, canary ${name}: Slipway ${sayBad(ours?.stops ?? [], 0.5)}, ${other.name} ${sayBad(other.stops, 0.5)}`,
      isHeld: other.name.endsWith(HELD),
      isComparable: other.falseAlarms <= AIM,
      difference: compareBad(ours?.stops ?? [], other.stops),
    })),
  );
  const isMet = [false, true].map(isHeld => {
    const group = cases.filter(each => each.isHeld === isHeld && each.isComparable);
    const count = (wanted: (difference: number) => boolean) =>
      group.filter(({ difference }) => wanted(difference)).length;
    const left = cases.filter(each => each.isHeld === isHeld).length - group.length;
    console.log(
      `Slipway with margin 0 against the rules ${isHeld ? 'held to 1 %' : 'as documented'}: fewer bad requests (median) in ${count(d => d < 0)} cases, as many in ${count(d => d === 0)}, more in ${count(d => d > 0)}; ${left} cases do not count, because the rule takes back more than 1 % of the healthy canaries.`,
    );
    for (const { name, difference } of group) if (difference > 0) console.log(`- more: ${name}`);
    return count(d => d > 0) === 0;
  });
  return isMet[0] === true;
}

/** Two that are never taken back are equal. */
function compareBad(a: readonly (Stop | undefined)[], b: readonly (Stop | undefined)[]): number {
  const [ours, theirs] = [badAt(a, 0.5), badAt(b, 0.5)];
  return ours === theirs ? 0 : ours - theirs;
}

function scenesOf(canaryRatio: (stable: number) => number): Scene[] {
  return WEIGHTS.flatMap(weight =>
    TRAFFIC.flatMap(requestsPerSecond =>
      STABLE_RATIOS.map(stableRatio => ({
        requestsPerSecond,
        weight,
        stableRatio,
        canaryRatio: canaryRatio(stableRatio),
      })),
    ),
  );
}

function isSame(a: Scene, b: Scene): boolean {
  return (
    a.requestsPerSecond === b.requestsPerSecond && a.weight === b.weight && a.stableRatio === b.stableRatio
  );
}

function describe({ requestsPerSecond, stableRatio, weight }: Scene): string[] {
  return [String(requestsPerSecond), percent(stableRatio, 1), percent(weight, 0)];
}

function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)} %`;
}

function span(seconds: number): string {
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return Number.isFinite(seconds) ? `${(seconds / 3600).toFixed(1)} h` : '–';
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? Number.NaN;
}
