/** The port between the local control planes (Cloud Run, Kubernetes) and the thing that runs images. */
export interface DataPlane {
  /** Pulls, unpacks and starts; returns at once. Watch the instance to see how it goes. */
  run(workload: Workload): Instance;
}

export type Architecture = 'amd64' | 'arm64';

export interface Workload {
  /** For log lines: `hello-3f9a1c2b-1 us-east4`. */
  readonly name: string;
  /** As in the API: `HOST/REPOSITORY@sha256:…` or with a tag. */
  readonly image: string;
  /** Of the node it runs on. */
  readonly architecture: Architecture;
  /** Region or zone that the workload's metadata server reports. */
  readonly location: string;
  readonly env: Readonly<Record<string, string>>;
  /** Override the image's Entrypoint and Cmd, as in Kubernetes. */
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  /** Whose use of CPU it is; without it nobody measures. */
  readonly consumer?: Consumer | undefined;
}

/** Who uses CPU, and how many CPUs it was promised; 0 for none. */
export interface Consumer {
  readonly cpus: number;
  readonly by: (ServedBy & { readonly kind: 'cloudRun' }) | ContainerOfPod;
}

export interface ContainerOfPod {
  readonly kind: 'container';
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** What was used of the promised CPUs over a while, as Monitoring wants to know it. */
export interface UsedCpu {
  readonly atMs: number;
  readonly share: number;
  readonly by: (ServedBy & { readonly kind: 'cloudRun' }) | (ContainerOfPod & Cluster);
}

export interface Cluster {
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
}

export type InstanceState =
  | { readonly phase: 'pulling' }
  | { readonly phase: 'starting' }
  /** Its process listens; `url` is where. */
  | { readonly phase: 'ready'; readonly url: string }
  | {
      readonly phase: 'failed';
      readonly reason: 'ImagePull' | 'NoMatchForPlatform' | 'ExecFormat' | 'NotRunnable' | 'Exited';
      /** In the words of the real platform: `exec /usr/local/bin/node: exec format error`. */
      readonly message: string;
      readonly exitCode?: number | undefined;
      readonly lastLogLines: readonly string[];
    }
  | { readonly phase: 'stopped' };

export interface Instance {
  readonly workload: Workload;
  state(): InstanceState;
  /** Called after every change of state; the returned function unsubscribes. */
  onChange(listener: (state: InstanceState) => void): () => void;
  /** SIGTERM, then SIGKILL after the grace period. Resolves when the process is gone. */
  stop(): Promise<void>;
}

/** One answered request, as Monitoring wants to know it. */
export interface ServedRequest {
  readonly atMs: number;
  readonly by: ServedBy;
  readonly status: number;
  readonly latencyMs: number;
}

export type ServedBy =
  | {
      readonly kind: 'cloudRun';
      readonly project: string;
      readonly region: string;
      readonly service: string;
      readonly revision: string;
    }
  /** `service` is the Kubernetes Service that the Gateway's backend stands for. */
  | {
      readonly kind: 'gke';
      readonly project: string;
      readonly location: string;
      readonly cluster: string;
      readonly namespace: string;
      readonly service: string;
      readonly port: number;
    };

/** Where one request may go: the control planes answer with these, the fronts choose by weight. */
export interface Backend {
  readonly by: ServedBy;
  /** Share; shares of one answer need not sum to anything. */
  readonly weight: number;
  /** Ready instances; empty means that a request sent there is answered with 503. */
  readonly urls: readonly string[];
}
