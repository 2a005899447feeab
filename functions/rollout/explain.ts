import type { Verdict } from '../image/verdict.ts';
import type { Serving } from '../targets/target.ts';
import { holdOf } from './holds.ts';
import { openIncidents } from './incidents.ts';
import type { Judgement } from './judge.ts';
import type { Counts } from './observed.ts';
import type { Cause, CauseKind, Rollout, ServiceState } from './record.ts';
import { percent, roughSpan, shortDigest, span, timestamp } from './wording.ts';

/** Why a rollout is where it is, for people. Text from outside is in it as it came: whoever shows it makes it harmless. */
export interface Explanation {
  /** One sentence. */
  readonly headline: string;
  /** The numbers behind it, the most telling first; nothing is empty. */
  readonly facts: readonly Fact[];
}

export interface Fact {
  readonly about:
    | 'Waiting'
    | 'Cause'
    | 'Restored'
    | 'Judge'
    | 'Quarantine'
    | 'Way back'
    | 'Incidents'
    | 'Image';
  readonly lines: readonly string[];
}

/** Pure, like all of this folder: `nowMs` decides only what is over and what is still open. */
export function explain(rollout: Rollout, service: ServiceState, nowMs: number): Explanation {
  const facts: Fact[] = [
    { about: 'Waiting', lines: waiting(rollout, service, nowMs) },
    { about: 'Cause', lines: rollout.cause ? caused(rollout.cause) : [] },
    { about: 'Restored', lines: restored(rollout) },
    { about: 'Judge', lines: rollout.judgement ? judged(rollout, rollout.judgement) : [] },
    { about: 'Quarantine', lines: quarantined(rollout, service) },
    { about: 'Way back', lines: wayBack(rollout, service, nowMs) },
    { about: 'Incidents', lines: incidents(service, nowMs) },
    { about: 'Image', lines: rollout.verification ? verified(rollout, rollout.verification) : [] },
  ];
  return { headline: headline(rollout), facts: facts.filter(({ lines }) => lines.length > 0) };
}

function headline(rollout: Rollout): string {
  const { service, tag, digest, phase, message, cause, verification } = rollout;
  const what = `${service} ${tag} (${shortDigest(digest)})`;
  const why = cause?.message ?? message;
  switch (phase) {
    case 'Healthy':
      return `${what} is Healthy: it serves on every target.`;
    case 'Degraded':
      return `${what} is Degraded: it was rolled back, and ${whatServes(rollout)}. ${sentence(why, rollout)}`;
    case 'RollingBack':
      return `${what} is being rolled back. ${sentence(why, rollout)}`;
    case 'Rejected':
      return verification?.status === 'rejected'
        ? `${what} was Rejected before anything changed: its image cannot run everywhere it has to, for ${count(verification.reasons.length, 'reason')}.`
        : `${what} was Rejected before anything served it. ${sentence(message, rollout)}`;
    case 'Superseded':
      return `${what} is Superseded: another took its place. ${sentence(why, rollout)}`;
    case 'Paused':
      return `${what} waits and does not advance by itself. ${sentence(message, rollout)}`;
    case 'Pending':
      return `${what} has not begun. ${sentence(message, rollout)}`;
    case 'Progressing':
      return `${what} is on its way. ${sentence(message, rollout)}`;
  }
}

function whatServes({ targets }: Rollout): string {
  const lost = Object.entries(targets).flatMap(([name, { status }]) => (status === 'Failed' ? [name] : []));
  return `what served before serves again${lost.length > 0 ? `, but NOT on ${lost.join(', ')}` : ''}`;
}

/** A name that it begins with stays as it is written: `hello goes on`, `v2 replaces it`, `hello.us is not ready`. */
function sentence(text: string, { service, tag }: Rollout): string {
  const [word = ''] = /^[a-z]+(?=[ :,;]|$)/.exec(text) ?? [];
  const isName = word === '' || word === service || word === tag;
  const begun = isName ? text : `${word.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return `${begun.trimEnd().replace(/\.$/, '')}.`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

function waiting(rollout: Rollout, service: ServiceState, nowMs: number): string[] {
  const { phase, pause } = rollout;
  if (phase === 'Pending' && service.active !== undefined && service.active !== rollout.id) {
    return [`It waits for ${service.active}, which is in flight.`];
  }
  if (phase !== 'Pending' && phase !== 'Progressing' && phase !== 'Paused') return [];
  const hold = holdOf({ rollout, service }, nowMs);
  return [...(hold === undefined ? [] : [sentence(hold, rollout)]), ...(pause ? [paused(pause, nowMs)] : [])];
}

function paused(
  { gate, openedMs, untilMs, promotedBy }: NonNullable<Rollout['pause']>,
  nowMs: number,
): string {
  const since = `At ${gate} since ${timestamp(openedMs)}`;
  if (promotedBy !== undefined) return `${since}; ${promotedBy} opened it.`;
  if (untilMs === undefined) return `${since}: a gate that promote opens.`;
  if (nowMs < untilMs) return `${since}: a pause until ${timestamp(untilMs)}.`;
  return `${since}: its pause was over at ${timestamp(untilMs)}; it goes on when the judge says Successful, or somebody promotes it.`;
}

const CAUSES: Readonly<Record<CauseKind, string>> = {
  Judge: 'The judge: canary requests were measured and are bad',
  ProgressDeadline: 'The progress deadline: a target did not get ready in time',
  Target: 'A target refused what was asked of it',
  Abort: 'A person',
  Alert: 'An SLO alert of Cloud Monitoring',
  Undo: 'A person, who wants back what was there before',
  Superseded: 'A newer push',
  Workflow: 'The workflow: it died or gave up',
};

function caused({ kind, message, atMs }: Cause): string[] {
  return [`${CAUSES[kind]}, ${timestamp(atMs)}.`, message];
}

function restored({ phase, cause, history, targets }: Rollout): string[] {
  if (!cause) return [];
  return Object.entries(targets).flatMap(([name, { status, message, stable, isTouched }]) => {
    if (!isTouched) return [`${name}: nothing was changed on it.`];
    const done = history.findLast(
      ({ reason, target, atMs }) => reason === 'TargetRestored' && target === name && atMs >= cause.atMs,
    );
    if (done) {
      const after = span((done.atMs - cause.atMs) / 1000);
      return [`${name}: restored${toWhat(stable)}, ${timestamp(done.atMs)}, ${after} after the cause.`];
    }
    const stands = `${status}${message === '' ? '' : `: ${message}`}`;
    const isDue = phase === 'RollingBack' && status !== 'Restored' && status !== 'Failed';
    return [`${name}: ${isDue ? `not restored yet, ${stands}` : stands}`];
  });
}

function toWhat(stable: Serving | null | undefined): string {
  if (stable === null) return ', nothing served there before';
  if (!stable) return '';
  return ` to ${stable.revision}${stable.digest ? ` (${shortDigest(stable.digest)})` : ''}`;
}

const VERDICTS: Readonly<Record<Judgement['verdict'], string>> = {
  Successful: 'measured, and good enough',
  Failed: 'measured, and bad',
  Inconclusive: 'not enough requests to tell yet',
  Error: 'could not be measured',
};

const BECAUSE = {
  worse: 'worse than stable by more than the margin',
  burn: 'burns the error budget faster than the policy bears, whatever stable does',
} as const;

function judged({ spec }: Rollout, judgement: Judgement): string[] {
  const { verdict, message, atMs, canary, stable, limit, because, missing, scopes } = judgement;
  const why = because === undefined ? '' : `, ${BECAUSE[because]}`;
  return [
    `${verdict} (${VERDICTS[verdict]}${why}), ${timestamp(atMs)}: ${message}`,
    `canary: ${counted(canary)}; it may show ${percent(limit)}`,
    `stable: ${counted(stable)}${timesAsBad(canary, stable)}`,
    ...(spec.judge === 'off'
      ? []
      : [
          `by the policy: at most ${count(spec.judge.margin, 'percentage point')} worse than stable, at most ${spec.judge.maxBurn} times the error budget, no verdict below ${count(spec.judge.minRequests, 'request')}`,
        ]),
    ...(missing ? [missed(missing)] : []),
    ...scopes.map(scope => `${scope.scope}: ${scope.verdict}: ${scope.message}`),
  ];
}

function counted({ good, bad }: Counts): string {
  const all = good + bad;
  return all === 0 ? 'no requests' : `${bad} of ${count(all, 'request')} bad, ${percent(bad / all)}`;
}

function timesAsBad(canary: Counts, stable: Counts): string {
  const [of, beside] = [canary, stable].map(({ good, bad }) => (good + bad === 0 ? 0 : bad / (good + bad)));
  if (!of || !beside || of <= beside) return '';
  return `; the canary shows ${Number((of / beside).toPrecision(2))} times as much`;
}

function missed({ requests, seconds }: NonNullable<Judgement['missing']>): string {
  const long = seconds === undefined ? 'and none come' : `about ${roughSpan(seconds)} at the present rate`;
  return `missing: ${count(requests, 'more canary request')}, ${long}`;
}

function quarantined({ digest, id }: Rollout, { quarantine }: ServiceState): string[] {
  const against = quarantine[digest];
  if (!against) return [];
  const since = timestamp(against.sinceMs);
  const by = against.rollout === id ? '.' : `, with ${against.rollout}: ${against.message}`;
  return [
    `No push starts this digest since ${since}${by}`,
    `A person can lift that and start anew: slipway retry ${against.rollout}`,
  ];
}

function wayBack({ phase, windowEndsMs, id }: Rollout, service: ServiceState, nowMs: number): string[] {
  if (phase !== 'Healthy' || windowEndsMs === undefined || service.healthy !== id) return [];
  const end = timestamp(windowEndsMs);
  return nowMs < windowEndsMs
    ? [`Until ${end} an SLO alert still rolls it back, and so does slipway abort ${service.name}.`]
    : [`Its window was over at ${end}; slipway undo ${service.name} goes back to what was Healthy before.`];
}

function incidents(service: ServiceState, nowMs: number): string[] {
  return openIncidents(service, nowMs).map(({ id, policy }) => `open: ${policy} (${id})`);
}

function verified({ spec }: Rollout, { status, platforms, reasons }: Verdict): string[] {
  const found = new Set(platforms.map(({ platform }) => platform));
  const missing = spec.verify.platforms.filter(platform => !found.has(platform));
  return [
    `${status}, ${reasons.length === 0 ? 'nothing is wrong with it' : `for ${count(reasons.length, 'reason')}`}`,
    ...platforms.map(({ platform, digest, executables = [] }) => {
      const runs = executables.map(({ file, is }) => `${file} is ${is}`).join(', ');
      return `${platform}: ${shortDigest(digest)}${runs === '' ? '' : `; ${runs}`}`;
    }),
    ...missing.map(platform => `${platform}: not found`),
    ...reasons.flatMap(({ code, message, fix }) => [`${code}: ${message}`, `  fix: ${fix}`]),
  ];
}
