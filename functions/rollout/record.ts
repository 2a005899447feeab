import { SlipwayError } from '../errors.ts';
import type { Verdict as ImageVerdict } from '../image/verify.ts';
import type { Serving } from '../targets/target.ts';
import type { Counts, Evidence, Judgement } from './judge.ts';
import type { Service } from './policy.ts';

/** The rollout's document in the store: the one truth. Times are milliseconds since the Unix epoch. */
export interface Rollout {
  readonly id: string;
  readonly service: string;
  /** Repository without tag or digest. */
  readonly image: string;
  readonly digest: string;
  readonly tag: string;
  /** Who asked for it by command; undefined for a push. */
  readonly startedBy: string | undefined;
  /** When the push was published; decides which of two pushes is newer. */
  readonly publishedMs: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly phase: Phase;
  /** One sentence: why it is in this phase. */
  readonly message: string;
  /** Whoever raised it last owns the targets. */
  readonly epoch: number;
  /** 1, and one more for every `retry`: part of the revision's name. */
  readonly attempt: number;
  /** When this attempt was asked for; records of old lack it. */
  readonly attemptMs?: number | undefined;
  /** W3C trace context of the push: all that comes of it joins that trace. Records of old lack it. */
  readonly traceparent?: string | undefined;
  /** The service's policy as it was when the rollout was created. */
  readonly spec: Service;
  readonly owner: Owner | undefined;
  /** The newest execution that was asked for; it becomes the owner when it begins. */
  readonly launch: Launch | undefined;
  /** Executions that ended without a word. */
  readonly deaths: number;
  readonly position: Position;
  readonly targets: Readonly<Record<string, TargetState>>;
  readonly pause: Pause | undefined;
  /** Set by the command `pause`, cleared by `resume`. */
  readonly heldBy: string | undefined;
  /** Frozen once because stable burnt as badly: from then on the burn rate alone takes nothing back. */
  readonly burnsEverywhere: boolean;
  /** Set by `promote --full`: gates and pauses no longer wait. */
  readonly isFull: boolean;
  /** The rollout that this attempt replaces, in a hurry: what it serves hurts users, or a person took it back. */
  readonly undoes: string | undefined;
  /** When the canary of the present wave first got traffic. */
  readonly servingSinceMs: number | undefined;
  readonly callback: string | undefined;
  readonly verification: ImageVerdict | undefined;
  readonly judgement: Judgement | undefined;
  /** What the judge keeps of the present wave from look to look. */
  readonly evidence: Evidence | undefined;
  /** What the judge saw since this attempt began, oldest first: at most {@link MOST_TREND_POINTS}. */
  readonly trend: readonly TrendPoint[];
  readonly cause: Cause | undefined;
  /** Until then an SLO alert still rolls a Healthy rollout back. */
  readonly windowEndsMs: number | undefined;
  readonly history: readonly HistoryEntry[];
}

/** One judgement of the way so far, for pictures. */
export interface TrendPoint {
  readonly atMs: number;
  /** Counts from 0. */
  readonly wave: number;
  readonly verdict: Judgement['verdict'];
  /** Since the wave began to serve. */
  readonly canary: Counts;
  readonly stable: Counts;
  /** Largest error ratio (0 to 1) the canary may show. */
  readonly limit: number;
}

export const PHASES = [
  'Pending',
  'Progressing',
  'Paused',
  'RollingBack',
  'Healthy',
  'Degraded',
  'Rejected',
  'Superseded',
] as const;
export type Phase = (typeof PHASES)[number];

export type WorkflowKind = 'rollout' | 'rollback';

/** Claimed before the execution is asked for, so that of a hundred who notice one asks. */
export interface Launch {
  readonly kind: WorkflowKind;
  /** undefined until its name is known. */
  readonly execution: string | undefined;
  readonly sinceMs: number;
}

export interface Owner {
  readonly kind: WorkflowKind;
  /** `projects/P/locations/L/workflows/W/executions/E` */
  readonly execution: string;
  readonly sinceMs: number;
}

/** The next thing to do: `step` of `wave`, both counting from 0; `step` equal to the number of steps means promotion. */
export interface Position {
  readonly wave: number;
  readonly step: number;
}

export type TargetStatus =
  | 'Waiting'
  | 'Armed'
  | 'Deploying'
  | 'Ready'
  | 'Shifting'
  | 'Canary'
  | 'Promoting'
  | 'Promoted'
  | 'Settled'
  | 'Restoring'
  | 'Restored'
  | 'Failed';

export interface TargetState {
  readonly status: TargetStatus;
  readonly message: string;
  readonly sinceMs: number;
  /** What served before anything changed: null when nothing did, undefined before it was read. */
  readonly stable: Serving | null | undefined;
  /** Whether anything may have been changed on it. */
  readonly isTouched: boolean;
  /** Whether the canary may have had traffic on it. */
  readonly mayServe: boolean;
  /** The canary's share in percent, as last confirmed. */
  readonly weight: number;
  readonly architecture: string | undefined;
}

export interface Pause {
  /** Names the gate a decision is for: `wave 1 step 6`, counting from 1. */
  readonly gate: string;
  readonly openedMs: number;
  /** undefined waits for a person. */
  readonly untilMs: number | undefined;
  /** Who let it pass, if a person did. */
  readonly promotedBy: string | undefined;
}

export type CauseKind =
  | 'Judge'
  | 'ProgressDeadline'
  | 'Target'
  | 'Abort'
  | 'Alert'
  | 'Undo'
  | 'Superseded'
  | 'Workflow';

export interface Cause {
  readonly kind: CauseKind;
  readonly message: string;
  readonly atMs: number;
}

export type Reason =
  | 'RolloutCreated'
  | 'RolloutQueued'
  | 'RolloutStarted'
  | 'RolloutRejected'
  | 'RolloutSuperseded'
  | 'RolloutCompleted'
  | 'RolloutSettled'
  | 'RolloutAborted'
  | 'RolloutPaused'
  | 'RolloutResumed'
  | 'RolloutPromoted'
  | 'RolloutUndone'
  | 'RolloutRetried'
  | 'RolloutStepCompleted'
  | 'RollingBack'
  | 'RolledBack'
  | 'CanaryPauseStep'
  | 'CanaryReady'
  | 'TrafficWeightUpdated'
  | 'TargetPromoted'
  | 'TargetRestored'
  | 'RestoreFailed'
  | 'AnalysisRunSuccessful'
  | 'AnalysisRunInconclusive'
  | 'AnalysisRunFailed'
  | 'AnalysisRunError'
  | 'AlertRecorded'
  | 'AlertClosed'
  | 'MessageLost'
  | 'PreflightWaiting'
  | 'PreflightPassed'
  | 'RegionDrained'
  | 'RegionKept'
  | 'RegionUndrained'
  | 'ServiceFrozen'
  | 'ServiceUnfrozen'
  | 'CommandRefused';

export interface HistoryEntry {
  /** 1, 2, 3 … within the rollout. */
  readonly sequence: number;
  readonly atMs: number;
  readonly reason: Reason;
  readonly message: string;
  readonly target?: string | undefined;
  /** Of TrafficWeightUpdated, TargetPromoted and TargetRestored: the canary's share of the target's traffic in percent. */
  readonly weight?: number | undefined;
  /** Id of the command that it comes of. */
  readonly command?: string | undefined;
  /** Monitoring's id of the incident that it tells of. */
  readonly incident?: string | undefined;
}

/** What the rollouts of one service share. */
export interface ServiceState {
  readonly name: string;
  /** The rollout that may move targets. */
  readonly active: string | undefined;
  /** The newest rollout that waits for its turn. */
  readonly waiting: string | undefined;
  /** The newest Healthy rollout. */
  readonly healthy: string | undefined;
  /** Those that were Healthy before it and would be the way back from it, newest last. */
  readonly earlier: readonly string[];
  /** When the last rollback that an alert began was over. */
  readonly restoredMs: number | undefined;
  readonly frozen: Frozen | undefined;
  readonly newestPublishedMs: number;
  /** Digest → why no push may start it. */
  readonly quarantine: Readonly<
    Record<string, { readonly rollout: string; readonly message: string; readonly sinceMs: number }>
  >;
  /** Ids of the commands that were carried out, newest last: one that comes again does nothing. */
  readonly handled: readonly string[];
  /** Target → since when and why its region is out of the load balancer. */
  readonly drained: Readonly<Record<string, Drained>>;
  /** Incident id → what Monitoring said about it in the last 24 h. */
  readonly incidents: Readonly<Record<string, Incident>>;
}

/** Nothing of the service starts or advances. */
export interface Frozen {
  readonly by: string;
  readonly reason: string | undefined;
  readonly sinceMs: number;
}

export interface Drained {
  /** The rollout whose record tells about it. */
  readonly rollout: string;
  readonly sinceMs: number;
  /** Who asked for it; undefined when it was the last resort of a rollback. */
  readonly by: string | undefined;
}

/** An SLO incident. Its two notifications may come in any order. */
export interface Incident {
  /** Name of the alert policy. */
  readonly policy: string;
  readonly openedMs: number | undefined;
  readonly closedMs: number | undefined;
}

export function newServiceState(name: string): ServiceState {
  return {
    name,
    active: undefined,
    waiting: undefined,
    healthy: undefined,
    earlier: [],
    restoredMs: undefined,
    frozen: undefined,
    newestPublishedMs: 0,
    quarantine: {},
    handled: [],
    drained: {},
    incidents: {},
  };
}

/** The revision that a rollout makes on every target: unique per attempt, as Cloud Run never reuses a name. */
export function revisionOf({ id, attempt }: Rollout, service: string): string {
  return `${service}-${id.slice(id.lastIndexOf('-') + 1)}-${attempt}`;
}

/** Without what nobody outside need know: callbacks, executions' claims, what the judge keeps. */
export type ShownRollout = Omit<Rollout, 'callback' | 'launch' | 'evidence' | 'deaths'>;

export function shownRollout(rollout: Rollout): ShownRollout {
  const { callback: _, launch: __, evidence: ___, deaths: ____, ...shown } = rollout;
  return shown;
}

/** On its way forward, or waiting on it. */
export function isRollingOut({ phase }: Pick<Rollout, 'phase'>): boolean {
  return phase === 'Progressing' || phase === 'Paused';
}

export function isFinal(rollout: Pick<Rollout, 'phase'>): boolean {
  return !isRollingOut(rollout) && rollout.phase !== 'Pending' && rollout.phase !== 'RollingBack';
}

/** A record has to fit into a document of 1 MiB whatever others write into it. */
const MAX_MESSAGE_LENGTH = 1000;

/** Appends to the history, which keeps its newest 300 entries. */
export function note(
  rollout: Rollout,
  nowMs: number,
  reason: Reason,
  message: string,
  target?: string,
): Rollout {
  return append(rollout, nowMs, { reason, message, ...(target ? { target } : {}) });
}

/** Appends what was done to the traffic of a target. */
export function noteWeight(
  rollout: Rollout,
  nowMs: number,
  reason: 'TrafficWeightUpdated' | 'TargetPromoted' | 'TargetRestored',
  message: string,
  target: string,
  weight: number | undefined,
): Rollout {
  return append(rollout, nowMs, { reason, message, target, ...(weight === undefined ? {} : { weight }) });
}

export const MOST_TREND_POINTS = 240;

/** Appends what the judge saw; when there are too many points every second of the old ones goes. */
export function withTrend(rollout: Rollout, { atMs, verdict, canary, stable, limit }: Judgement): Rollout {
  const known = rollout.trend;
  const kept = known.length < MOST_TREND_POINTS ? known : known.filter((_, index) => index % 2 === 0);
  const point = { atMs, wave: rollout.position.wave, verdict, canary, stable, limit };
  return { ...rollout, trend: [...kept, point] };
}

/** Appends what Monitoring says about an incident. */
export function noteIncident(
  rollout: Rollout,
  nowMs: number,
  reason: 'AlertRecorded' | 'AlertClosed',
  message: string,
  incident: string,
): Rollout {
  return append(rollout, nowMs, { reason, message, incident });
}

function append(rollout: Rollout, nowMs: number, told: Omit<HistoryEntry, 'sequence' | 'atMs'>): Rollout {
  const sequence = (rollout.history.at(-1)?.sequence ?? 0) + 1;
  const message = told.message.slice(0, MAX_MESSAGE_LENGTH);
  const entry: HistoryEntry = { sequence, atMs: nowMs, ...told, message };
  return { ...rollout, updatedMs: nowMs, history: [...rollout.history.slice(-299), entry] };
}

export function withTarget(rollout: Rollout, name: string, change: Partial<TargetState>): Rollout {
  const target = rollout.targets[name];
  if (!target) {
    const names = Object.keys(rollout.targets).join(', ');
    throw new SlipwayError(`rollout ${rollout.id} has no target "${name}"; it has ${names}`, {
      code: 'InvalidArgument',
      operation: 'find the target',
    });
  }
  return { ...rollout, targets: { ...rollout.targets, [name]: { ...target, ...change } } };
}
