import type { OpenIncident } from '../rollout/incidents.ts';
import type { Link } from '../rollout/links.ts';
import type { HistoryEntry, Phase, Rollout, ServiceState, ShownRollout } from '../rollout/record.ts';

export type { ShownRollout } from '../rollout/record.ts';

/**
 * What the page asks the console for, and what it gets. All of it is JSON below `api/`; errors are {@link Problem} with
 * a status of 4xx or 5xx. Names and ids in an address have 300 characters at most. Lists come 100 rows at a time: with `?after=NEXT` the page behind the one that said `next`;
 * 404 when that row is gone meanwhile.
 */

/** GET api/me */
export interface Me {
  /** Who the commands are given by: an e-mail address. */
  readonly actor: string;
  readonly project: string;
}

/** GET api/services?after=NAME&search=TEXT: services by name, those of the policy and those on record. */
export interface ServicePage {
  readonly services: readonly ServiceRow[];
  readonly next?: string;
}

export interface ServiceRow {
  readonly name: string;
  /** The rollout in flight, or else the one that waits, or else what serves, or else the newest; undefined before the first one. */
  readonly rollout?: RolloutRow;
  /** What was taken back last, when that was later than `rollout` began. */
  readonly takenBack?: TakenBack;
  readonly frozen?: NonNullable<ServiceState['frozen']>;
  /** Targets whose region is out of the load balancer. */
  readonly drained: readonly string[];
  /** How many digests are in quarantine. */
  readonly quarantined: number;
  /** Incidents of its SLOs that are open. */
  readonly openIncidents: number;
}

/** Of a digest in quarantine: what it was taken back from, why, and when. */
export type TakenBack = ServiceState['quarantine'][string];

/** GET api/services/NAME: what holds a service. 404 when neither the policy nor the records know it. */
export interface ServiceDetail {
  readonly row: ServiceRow;
  /** By target: since when, why and by whom its region is out of the load balancer. */
  readonly drained: ServiceState['drained'];
  /** Newest first, 100 at most; `row.quarantined` says how many there are. */
  readonly quarantine: readonly (TakenBack & { readonly digest: string })[];
  /** Those that are open. */
  readonly incidents: readonly OpenIncident[];
  /** Freeze, unfreeze, drain and undrain, also before the first rollout. */
  readonly buttons: readonly Button[];
  /** What came of commands, in the rollout whose history tells of drain and undrain; the newest 20. */
  readonly told: readonly HistoryEntry[];
  /** To the open incidents; none on a laptop. */
  readonly links: readonly Link[];
  readonly nowMs: number;
}

/**
 * GET api/rollouts?service=NAME&phases=A,B&after=ID: newest first; of all services without `service`, in any phase without
 * `phases`.
 */
export interface RolloutPage {
  readonly rollouts: readonly RolloutRow[];
  readonly next?: string;
}

export interface RolloutRow {
  readonly id: string;
  readonly service: string;
  readonly tag: string;
  readonly digest: string;
  readonly phase: Phase;
  readonly message: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Target → the canary's share in percent, of targets that have been touched. */
  readonly weights: Readonly<Record<string, number>>;
}

/** GET api/rollouts/ID */
export interface RolloutView {
  readonly rollout: ShownRollout;
  readonly service: Pick<ServiceState, 'name' | 'frozen' | 'drained' | 'incidents'> & {
    /** Why no push starts this digest. */
    readonly quarantine?: TakenBack;
    readonly active?: string;
    readonly waiting?: string;
    readonly healthy?: string;
  };
  readonly buttons: readonly Button[];
  /** None on a laptop: Google Cloud knows nothing of what runs there. */
  readonly links: readonly Link[];
  /** The console's clock: ages are counted from it. */
  readonly nowMs: number;
}

/** A command that makes sense now, or why it does not. */
export interface Button {
  readonly command:
    | 'promote'
    | 'promote full'
    | 'pause'
    | 'resume'
    | 'abort'
    | 'undo'
    | 'retry'
    | 'freeze'
    | 'unfreeze'
    | 'drain'
    | 'undrain';
  /** Of drain and undrain. */
  readonly target?: string;
  /** Of promote: the gate that it is for. */
  readonly gate?: string;
  /** Why it cannot be given now; undefined when it can. */
  readonly refused?: string;
}

/**
 * GET api/watch?rollout=ID, GET api/watch?services=A,B,… (100 at most): server-sent events. `rollout` comes first with a
 * whole view, and from then on, as `change`, with what is new of the history only; when another course has begun, a whole
 * `rollout` comes again. `services` comes with a list of {@link ServiceRow}: at first of all that are on record, then of
 * those that changed. `problem` comes with a {@link Problem}, once, when the records cannot be read; when they can be read
 * again, a whole `rollout` or `services` comes.
 *
 * A comment every 15 s keeps proxies from closing the line; after 4 minutes the console closes it, and the browser comes
 * back by itself and is told what it missed. With 503 and `retry-after` there are too many listeners; the browser does
 * not come back from that by itself.
 */
export interface RolloutChange extends Omit<RolloutView, 'rollout'> {
  readonly rollout: Omit<ShownRollout, 'history' | 'spec' | 'verification' | 'trend'> & {
    /** Undefined where they have not changed since the last event. */
    readonly spec?: Rollout['spec'];
    readonly verification?: Rollout['verification'];
  };
  /** Entries with a sequence above what was sent before. */
  readonly history: readonly HistoryEntry[];
  /** Points later than what was sent before. */
  readonly trend: Rollout['trend'];
}

/**
 * GET api/rollouts/ID/signals?minutes=30 (1 to 1440): the four golden signals of canary and stable over all touched
 * targets. Periods of which nothing is known are left out; the newest may miss what is on its way for up to three minutes.
 */
export interface Signals {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly periodMs: number;
  readonly points: readonly SignalPoint[];
  /** What could not be read, in words. */
  readonly warnings: readonly string[];
}

export interface SignalPoint {
  readonly endMs: number;
  readonly canary: SideSignals;
  readonly stable: SideSignals;
}

/** undefined: nothing is known about that period. */
export interface SideSignals {
  readonly requestsPerSecond?: number;
  /** 0 to 1. */
  readonly errorRatio?: number;
  /** 95th percentile. */
  readonly latencyMs?: number;
  /** Largest CPU utilisation over the targets, 0 to 1. */
  readonly saturation?: number;
}

/**
 * POST api/commands: 202 with {@link CommandSent}; 403 when the page of another site sent it, 429 and `retry-after` beyond
 * 30 a minute. The reason goes into the history. That a command was taken does not say that it applies: see the history.
 */
export interface CommandRequest {
  /**
   * A UUID that the sender makes: when the answer was lost and the command is sent again with the same one, it counts once.
   * Without it every request is another command.
   */
  readonly id?: string;
  readonly command: Button['command'];
  readonly service: string;
  readonly rollout?: string;
  readonly target?: string;
  readonly gate?: string;
  readonly reason?: string;
}

export interface CommandSent {
  /** The command's id: what comes of it names it in the history, or in a refusal. */
  readonly id: string;
}

export interface Problem {
  /** What was wrong, what was expected, what to do. */
  readonly message: string;
}
