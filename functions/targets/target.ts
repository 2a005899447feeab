/** The port to one place where a service runs: a Cloud Run service in one region, or a Deployment in one GKE cluster. */
export interface Target {
  /** What serves now. Reads only. */
  observe(): Promise<Observation>;
  /** Makes the canary exist, with no traffic, and reports `done` once it is ready to take some. */
  deploy(order: Order): Promise<Progress>;
  /** Asks the canary itself, past the traffic split. */
  probe(order: Order, probe: Probe): Promise<ProbeResult>;
  /** Gives the canary this share of the traffic; `done` once the platform confirms it. */
  setWeight(order: Order, percent: number): Promise<Progress>;
  /** Gives the canary everything and keeps the way back open. */
  promote(order: Order): Promise<Progress>;
  /** Closes the way back: what was the canary is the stable from here on. */
  settle(order: Order): Promise<Progress>;
  /** Brings back what served before. Its first write always changes the target, so that writes prepared earlier are refused. */
  restore(order: Order): Promise<Progress>;
}

/**
 * The answer of a call that makes something so. Every such call reads first and does only what is missing, so it may be
 * repeated at any time; `again` asks for exactly that.
 */
export type Progress =
  | { readonly status: 'done'; readonly message: string }
  | { readonly status: 'again'; readonly message: string }
  /** Waiting will not mend it. `message` says why in words for people. */
  | { readonly status: 'failed'; readonly message: string };

/** What a rollout wants on a target, and the right to ask for it. */
export interface Order {
  /** Rollout id. */
  readonly rollout: string;
  readonly epoch: number;
  /** Repository without tag or digest. */
  readonly image: string;
  /** `sha256:…` of the index. */
  readonly digest: string;
  /** Name of the canary's revision, e.g. `hello-3f9a1c2b-1`. GKE puts it into a label. */
  readonly revision: string;
  /** What served before the rollout, read before anything changed; undefined when nothing did. */
  readonly stable: Serving | undefined;
  /**
   * To be awaited after the target was read and before it is written: rejects with code `Fenced` when the record's
   * epoch is no longer {@link epoch}.
   */
  readonly fence: () => Promise<void>;
}

/** One revision that takes traffic. */
export interface Serving {
  readonly revision: string;
  /** `sha256:…`, where the platform tells. */
  readonly digest: string | undefined;
}

export interface Observation {
  /** The revision with the largest share among those that are not a canary of ours; undefined when nothing serves. */
  readonly stable: Serving | undefined;
  /** All revisions with traffic or a tag of ours. Percentages sum to 100 when anything serves. */
  readonly revisions: readonly ObservedRevision[];
  /** False while the platform still works on an earlier change. */
  readonly settled: boolean;
}

export interface ObservedRevision extends Serving {
  readonly percent: number;
  readonly ready: boolean;
  /** Architecture it runs on, as the platform tells it. */
  readonly architecture: string;
}

export interface Probe {
  readonly path: string;
  /** Text that the body must contain. Without it any answer below 500 will do. */
  readonly expect?: string | undefined;
}

export type ProbeResult =
  | { readonly status: 'passed'; readonly message: string }
  | { readonly status: 'failed'; readonly message: string }
  | { readonly status: 'again'; readonly message: string }
  /** The canary cannot be reached from here, e.g. because of ingress settings. */
  | { readonly status: 'skipped'; readonly message: string };
