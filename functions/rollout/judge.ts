import { type Pair, type Stake, worth } from './judging/betting.ts';
import {
  addPayoffs,
  type Bounds,
  boundsOf,
  type Evidence,
  initialState,
  NO_BOUND,
  type Payoffs,
  type Period,
  POOLED,
  pack,
  payoffsOf,
  periodsOf,
  play,
  type Scope,
  type Setting,
  type Stakes,
  type State,
  scaled,
  scopesOf,
  stableRatios,
} from './judging/evidence.ts';
import { requestsUntil } from './judging/missing.ts';
import { NONE, percent, ratio, type Sight, say, sight, since, span, total } from './judging/sight.ts';
import type { Counts, Observed } from './observed.ts';

export { blame } from './judging/blame.ts';
export type { Evidence, Setting } from './judging/evidence.ts';
export type { Counts } from './observed.ts';

/** Failed = measured and bad. Error = could not be measured. Inconclusive = not enough requests to tell. */
export type VerdictName = 'Successful' | 'Failed' | 'Inconclusive' | 'Error';

/** Why Failed: worse than stable by more than the margin, or over the burn rate that the policy bears. */
export type Because = 'worse' | 'burn';

export interface Judgement {
  readonly verdict: VerdictName;
  /** One sentence for people, with the numbers. */
  readonly message: string;
  readonly atMs: number;
  /** Since the wave began to serve, on all targets. */
  readonly canary: Counts;
  readonly stable: Counts;
  /** Largest error ratio (0 to 1) the canary may show. */
  readonly limit: number;
  /** Only of Failed. */
  readonly because?: Because;
  /** Only of Inconclusive, and not when it is so close to the limit that no number of requests would tell. */
  readonly missing?: Missing;
  /** By platform and by target, where there are several. */
  readonly scopes: readonly ScopeJudgement[];
}

export interface Missing {
  /** Canary requests until there is a verdict, if canary and stable go on as they are. */
  readonly requests: number;
  /** What that takes at the present rate; undefined when no requests come. */
  readonly seconds: number | undefined;
}

export interface ScopeJudgement {
  /** `target us`, `platform arm64` */
  readonly scope: string;
  readonly verdict: VerdictName;
  readonly message: string;
  readonly canary: Counts;
  readonly stable: Counts;
}

export interface Judged {
  readonly judgement: Judgement;
  /** For the next look. */
  readonly evidence: Evidence;
}

/** Probability at most that a rollout is ever Failed whose canaries are as good as they must be. */
export const FALSE_ALARM = 0.01;

/** Probability at most that a canary is ever Successful that is not. */
export const FALSE_PASS = 0.05;

/** Of the false-alarm level. The rest is for the burn rate: few canaries break that and are no worse than stable. */
export const WORSE_SHARE = 3 / 4;

/** Metrics older than this many look intervals say nothing about now. */
const STALE_INTERVALS = 5;

/** Cloud Run and load balancer metrics may take this long to appear, https://cloud.google.com/monitoring/api/metrics_gcp. */
const METRIC_LAG_MS = 180_000;

/** Late points are waited for that long, or ten looks. */
const FOLD_AFTER_MS = 600_000;
const FOLD_INTERVALS = 10;

/** Where so many requests are expected and the metrics have none, it is metrics that are missing. */
const EXPECTED_REQUESTS = 50;

/**
 * Compares canary and stable over the same targets and time, and both with what the SLO can bear, by betting: judging/betting.ts
 * names the literature, docs/judge.md explains it. It may be asked at any time and as often as one likes.
 *
 * @param before what the last look returned; undefined at a wave's start
 * @param observed the blocks after `before.untilMs` of all targets of the wave, also of those that have none
 */
export function judge(
  before: Evidence | undefined,
  observed: Observed,
  setting: Setting,
  nowMs: number,
): Judged {
  const look = lookAt(before, observed, setting, nowMs);
  const decision = failed(look) ?? unmeasured(look) ?? successful(look) ?? inconclusive(look);
  const { canary, stable, limit } = look.all;
  const judgement = { ...decision, atMs: nowMs, canary, stable, limit, scopes: scopeJudgements(look) };
  return { judgement, evidence: look.evidence };
}

type Decision = Pick<Judgement, 'verdict' | 'message' | 'because' | 'missing'>;

/** Everything that one look knows. */
interface Look {
  readonly observed: Observed;
  readonly setting: Setting;
  readonly nowMs: number;
  readonly bounds: Bounds;
  readonly scopes: readonly Scope[];
  /** With every block up to now. */
  readonly state: State;
  /** Without the blocks that may still change. */
  readonly folded: State;
  readonly recent: readonly Period[];
  readonly evidence: Evidence;
  readonly all: Sight;
}

function lookAt(before: Evidence | undefined, observed: Observed, setting: Setting, nowMs: number): Look {
  const bounds = boundsOf(setting);
  const scopes = scopesOf(observed);
  const foldMs = nowMs - Math.max(FOLD_AFTER_MS, FOLD_INTERVALS * setting.rules.interval * 1000);
  const sinceMs = before?.untilMs ?? Number.NEGATIVE_INFINITY;
  const settled = periodsOf(observed, sinceMs, foldMs);
  const recent = periodsOf(observed, Math.max(sinceMs, foldMs), nowMs);
  const playAll = (from: State, periods: readonly Period[]) =>
    periods.reduce((state, period) => play(state, period, scopes, bounds), from);
  const folded = playAll(initialState(scopes, before), settled);
  const state = playAll(folded, recent);
  const { stakes, ...evidence } = pack(folded, settled.at(-1)?.endMs ?? before?.untilMs);
  return {
    observed,
    setting,
    nowMs,
    bounds,
    scopes,
    state,
    folded,
    recent,
    // A look that does not see the targets forgets nothing about them.
    evidence: { ...evidence, stakes: { ...before?.stakes, ...stakes } },
    all: sight(state.totals, Object.keys(state.totals), bounds),
  };
}

/** What a bet has reached of what a verdict needs, which is 1. */
interface Alarm {
  readonly because: Because;
  readonly size: number;
}

/**
 * The alarms of all scopes add up. While nothing is wrong anywhere every bet is fair, so their mean by share is one as
 * well; and it is at least as strong as to hold each of them against its share of the level.
 */
function failed(look: Look): Decision | undefined {
  const alarms = look.scopes.flatMap(scope => alarmsOf(look, scope));
  if (!isReached(alarms)) return undefined;
  const part = failedPart(look, 'platform') ?? failedPart(look, 'target');
  const because = largest(part?.alarms ?? alarms);
  const members = part?.members ?? Object.keys(look.state.totals);
  const where = part ? `only ${part.names.join(' and ')}: ` : '';
  return { verdict: 'Failed', because, message: `${where}${sayFailed(look, members, because)}` };
}

function alarmsOf({ state, setting, bounds }: Look, { names, members, share }: Scope): Alarm[] {
  const stakes = state.stakes[names[0]];
  if (!stakes || total(sight(state.totals, members, bounds).canary) < setting.rules.minRequests) return [];
  const level = (FALSE_ALARM / setting.waves) * share;
  return [
    { because: 'worse', size: worth(stakes.worse) * level * WORSE_SHARE },
    { because: 'burn', size: worth(stakes.burn) * level * (1 - WORSE_SHARE) },
  ];
}

function isReached(alarms: readonly Alarm[]): boolean {
  return alarms.reduce((sum, { size }) => sum + size, 0) >= 1;
}

function largest(alarms: readonly Alarm[]): Because {
  return alarms.reduce((most, alarm) => (alarm.size > most.size ? alarm : most)).because;
}

/** The platforms or targets that failed, unless all or none did. */
function failedPart(look: Look, kind: Kind) {
  const parts = partsOf(look, kind);
  const bad = parts.filter(({ scope }) => isReached(alarmsOf(look, scope)));
  if (bad.length === 0 || bad.length === parts.length) return undefined;
  return {
    names: bad.map(({ name }) => name),
    members: bad.flatMap(({ scope }) => scope.members),
    alarms: bad.flatMap(({ scope }) => alarmsOf(look, scope)),
  };
}

type Kind = 'platform' | 'target';

/** Platforms or targets; none where there is only one. */
function partsOf({ scopes }: Look, kind: Kind): { readonly name: string; readonly scope: Scope }[] {
  const parts = scopes.flatMap(scope =>
    scope.names.filter(name => name.startsWith(`${kind} `)).map(name => ({ name, scope })),
  );
  return parts.length > 1 ? parts : [];
}

function sayFailed({ state, folded, bounds, setting }: Look, members: readonly string[], because: Because) {
  const seen = sight(state.totals, members, bounds);
  const late = sight(since(state.totals, folded.totals), members, bounds);
  const limit = (of: Sight) => (because === 'burn' ? bounds.burn : of.limit);
  // A canary that turned bad after good hours is within the limit on the whole.
  const isLate = ratio(seen.canary) <= limit(seen) && ratio(late.canary) > limit(late);
  const shown = isLate ? late : seen;
  const burns = `, which burns the error budget more than ${setting.rules.maxBurn} times as fast as it lasts`;
  return `${isLate ? 'lately ' : ''}${say(shown)}: below ${percent(1 - limit(shown))}${because === 'burn' ? burns : ''}`;
}

function unmeasured({ observed, setting, nowMs, scopes, state }: Look): Decision | undefined {
  const { newestPointMs } = observed;
  if (newestPointMs === undefined) return error('there are no metrics of canary or stable yet');
  const ageMs = nowMs - newestPointMs;
  if (ageMs > METRIC_LAG_MS + STALE_INTERVALS * setting.rules.interval * 1000)
    return error(`the newest metric is ${span(ageMs / 1000)} old`);
  const missing = (scopes[0]?.members ?? []).filter(name => isBlind(observed, state, name));
  return missing.length > 0 ? error(sayBlind(observed, state, missing)) : undefined;
}

function error(message: string): Decision {
  return { verdict: 'Error', message };
}

/** Missing metrics are not zero errors. */
function isBlind(observed: Observed, { totals }: State, name: string): boolean {
  const seen = totals[name];
  return (
    seen !== undefined && total(seen.canary) === 0 && expected(observed, seen, name) >= EXPECTED_REQUESTS
  );
}

function expected({ targets }: Observed, { stable }: Pair, name: string): number {
  const weight = targets[name]?.weight ?? 0;
  return weight >= 100 ? 0 : (total(stable) * weight) / (100 - weight);
}

function sayBlind(observed: Observed, { totals }: State, names: readonly string[]): string {
  const each = names.map(name => {
    const seen = totals[name] ?? { canary: NONE, stable: NONE };
    const { weight } = observed.targets[name] ?? { weight: 0 };
    return `target ${name} (about ${Math.round(expected(observed, seen, name))} expected at ${weight}% beside ${total(seen.stable)} of stable)`;
  });
  return `the metrics have no request of the canary on ${each.join(', ')}`;
}

function successful(look: Look): Decision | undefined {
  const { state, setting, all } = look;
  if (total(all.canary) < setting.rules.minRequests || !passes(look, state.stakes[POOLED])) return undefined;
  return { verdict: 'Successful', message: `${say(all)}: within ${percent(1 - all.limit)}` };
}

/** A bound that nothing can break needs no proof. */
function passes({ bounds }: Look, stakes: Stakes | undefined): boolean {
  const isProven = (bound: number, stake: Stake | undefined) =>
    bound >= NO_BOUND || (stake !== undefined && worth(stake) >= 1 / FALSE_PASS);
  return isProven(bounds.margin, stakes?.notWorse) && isProven(bounds.burn, stakes?.slowBurn);
}

function inconclusive(look: Look): Decision {
  const requests = requestsMissing(look);
  const limit = percent(1 - look.all.limit);
  if (requests === undefined) {
    return { verdict: 'Inconclusive', message: `${say(look.all)}: too close to ${limit} to tell` };
  }
  const perSecond = canaryRate(look);
  const seconds = perSecond > 0 ? Math.ceil(requests / perSecond) : undefined;
  const wait = seconds === undefined ? 'and none come' : `${span(seconds)} at the present rate`;
  return {
    verdict: 'Inconclusive',
    message: `${say(look.all)}: ${requests} more canary requests are needed, ${wait}, to tell it from ${limit}`,
    missing: { requests, seconds },
  };
}

/** Until Successful or Failed, if all goes on as it was; undefined when that would be never. */
function requestsMissing(look: Look): number | undefined {
  const { state, bounds, setting, all } = look;
  const tooFew = Math.max(setting.rules.minRequests - total(all.canary), 0);
  const stakes = state.stakes[POOLED];
  const growth = growthPerRequest(look);
  if (!stakes || !growth) return tooFew > 0 ? tooFew : undefined;
  const until = (name: keyof Stakes, worthWanted: number) =>
    requestsUntil(stakes[name], growth[name], worthWanted);
  const share = look.scopes[0]?.share ?? 1;
  const alarm = setting.waves / FALSE_ALARM / share;
  const fail = Math.min(until('worse', alarm / WORSE_SHARE), until('burn', alarm / (1 - WORSE_SHARE)));
  const pass = Math.max(
    bounds.margin >= NO_BOUND ? 0 : until('notWorse', 1 / FALSE_PASS),
    bounds.burn >= NO_BOUND ? 0 : until('slowBurn', 1 / FALSE_PASS),
  );
  const requests = Math.max(Math.min(fail, pass), tooFew);
  if (Number.isFinite(requests)) return Math.max(requests, 1);
  return tooFew > 0 ? tooFew : undefined;
}

/** What the bets on all targets gain per canary request, if each target goes on as it was. */
function growthPerRequest({ state, observed, bounds }: Look): Payoffs | undefined {
  const guess = stableRatios(state.totals, bounds.budget);
  const names = Object.keys(observed.targets);
  const hasCanary = names.some(name => total(state.totals[name]?.canary ?? NONE) > 0);
  const pairs = names.map(name => ({
    name,
    pair: hasCanary ? state.totals[name] : imagined(guess(name), observed.targets[name]?.weight ?? 0),
  }));
  const requests = pairs.reduce((sum, { pair }) => sum + total(pair?.canary ?? NONE), 0);
  const payoffs = pairs.flatMap(({ name, pair }) => (pair ? payoffsOf(pair, guess(name), bounds) : []));
  if (payoffs.length === 0) return undefined;
  return scaled(payoffs.reduce(addPayoffs), 1 / requests);
}

/** Before the first canary request: one, as good as stable. */
function imagined(stableRatio: number, weight: number): Pair {
  const canary = { good: 1 - stableRatio, bad: stableRatio };
  const others = weight > 0 ? (100 - weight) / weight : 1;
  return { canary, stable: { good: canary.good * others, bad: canary.bad * others } };
}

/** Canary requests per second of late. */
function canaryRate({ recent, setting }: Look): number {
  const requests = recent.reduce((count, { blocks }) => {
    return [...blocks.values()].reduce((sum, { canary }) => sum + total(canary), count);
  }, 0);
  const lastsMs = (recent.at(-1)?.endMs ?? 0) - (recent[0]?.endMs ?? 0);
  // Blocks do not say when they began.
  const seconds =
    recent.length > 1 ? (lastsMs / 1000 / (recent.length - 1)) * recent.length : setting.rules.interval;
  return requests / seconds;
}

function scopeJudgements(look: Look): ScopeJudgement[] {
  return [...partsOf(look, 'platform'), ...partsOf(look, 'target')].map(({ name, scope }) => {
    const { canary, stable } = sight(look.state.totals, scope.members, look.bounds);
    return { scope: name, ...decideScope(look, scope), canary, stable };
  });
}

function decideScope(look: Look, scope: Scope): Pick<Decision, 'verdict' | 'message'> {
  const { observed, state, bounds, setting } = look;
  const { members, names } = scope;
  const seen = sight(state.totals, members, bounds);
  const alarms = alarmsOf(look, scope);
  if (isReached(alarms)) return { verdict: 'Failed', message: sayFailed(look, members, largest(alarms)) };
  const missing = members.filter(name => isBlind(observed, state, name));
  if (missing.length > 0) return error(sayBlind(observed, state, missing));
  const isEnough = total(seen.canary) >= setting.rules.minRequests;
  const verdict = isEnough && passes(look, state.stakes[names[0]]) ? 'Successful' : 'Inconclusive';
  return { verdict, message: say(seen) };
}
