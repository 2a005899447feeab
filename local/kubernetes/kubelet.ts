import type { Clock } from '../clock.ts';
import type { Architecture, DataPlane } from '../dataplane/dataplane.ts';
import { ContainerRuntime } from './container-runtime.ts';
import { type Pass, withCondition } from './controller.ts';
import { type Condition, type Container, type Node, type Pod, timestamp } from './objects.ts';
import { parseQuantity } from './quantities.ts';
import { Readiness, type HttpGet } from './readiness.ts';
import type { Store } from './store.ts';

/** From a pod's leaving the Endpoints until its process is told to stop: nobody picks it any more by then. */
const ENDPOINT_PROPAGATION_MS = 100;

interface RunningPod {
  readonly ip: string;
  readonly startTime: string;
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly ContainerRuntime[];
  readonly readiness: Readiness;
  isStopping: boolean;
  cancelStop: () => void;
}

/** The kubelets of all nodes: runs bound pods on the data plane and reports on them. */
export class Kubelet {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #dataPlane: DataPlane;
  readonly #httpGet: HttpGet | undefined;
  readonly #changed: () => void;
  readonly #running = new Map<string, RunningPod>();
  #nextAddress = 2;

  constructor(
    store: Store,
    clock: Clock,
    dataPlane: DataPlane,
    httpGet: HttpGet | undefined,
    changed: () => void,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#dataPlane = dataPlane;
    this.#httpGet = httpGet;
    this.#changed = changed;
  }

  reconcile(pass: Pass): void {
    const seen = new Set<string>();
    for (const pod of this.#store.list('pods')) {
      const uid = pod.metadata.uid ?? '';
      seen.add(uid);
      if (!pod.spec.nodeName) continue;
      if (pod.metadata.deletionTimestamp) this.#terminate(uid, pod);
      else this.#run(uid, pod, pass);
    }
    for (const [uid, running] of this.#running) {
      if (!seen.has(uid) && !running.isStopping) void this.#stop(uid, running);
    }
  }

  /** Where the pod listens, for the load balancer and the service proxy. */
  urlOf(podUid: string): string | undefined {
    return this.#running.get(podUid)?.containers.find(container => container.url)?.url;
  }

  logOf(podUid: string, container: string | undefined, previous: boolean): readonly string[] | undefined {
    const containers = this.#running.get(podUid)?.containers ?? [];
    const found = container ? containers.find(one => one.name === container) : containers[0];
    return found?.log(previous);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map(([uid, running]) => this.#stop(uid, running)));
  }

  #run(uid: string, pod: Pod, pass: Pass): void {
    const node = this.#store.get('nodes', undefined, pod.spec.nodeName ?? '');
    if (!node) return;
    const running = this.#running.get(uid) ?? this.#start(pod, node);
    this.#running.set(uid, running);
    this.#report(pod, running, pass.nowMs);
  }

  #start(pod: Pod, node: Node): RunningPod {
    const { name, namespace = '' } = pod.metadata;
    const ip = `10.4.${Math.floor(this.#nextAddress / 250)}.${this.#nextAddress++ % 250}`;
    const location = node.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
    const containers = pod.spec.containers.map(container => {
      const workload = {
        name: `${name} ${location}`,
        image: container.image,
        architecture: architectureOf(node),
        location,
        env: environment(container, pod, ip),
        command: container.command,
        args: container.args,
        consumer: {
          by: { kind: 'container', namespace, pod: name, container: container.name } as const,
          cpus: parseQuantity(container.resources?.requests?.['cpu']),
        },
      };
      return new ContainerRuntime(container.name, workload, this.#clock, this.#dataPlane, this.#changed);
    });
    const readiness = new Readiness(
      pod.spec.containers,
      containers,
      this.#clock,
      this.#httpGet,
      this.#changed,
    );
    const startTime = timestamp(this.#clock.nowMs());
    return { ip, startTime, namespace, name, containers, readiness, isStopping: false, cancelStop: () => {} };
  }

  #report(pod: Pod, running: RunningPod, nowMs: number): void {
    const containerStatuses = running.containers.map(container =>
      container.status(running.readiness.isReady(container)),
    );
    const isReady = containerStatuses.every(status => status.ready);
    const unready = containerStatuses.filter(status => !status.ready).map(status => status.name);
    const isRunning = running.containers.some(container => container.url || container.hasEnded());
    const wanted: Condition[] = [
      { type: 'Initialized', status: 'True' },
      isReady ? { type: 'ContainersReady', status: 'True' } : containersNotReady('ContainersReady', unready),
      isReady ? { type: 'Ready', status: 'True' } : containersNotReady('Ready', unready),
    ];
    const conditions = wanted.reduce<Condition[]>(
      (list, condition) => withCondition(list, condition, nowMs),
      pod.status?.conditions ?? [],
    );
    const status: NonNullable<Pod['status']> = {
      phase: isRunning ? 'Running' : 'Pending',
      conditions: sortedByType(conditions),
      hostIP: '10.128.0.2',
      podIP: running.ip,
      podIPs: [{ ip: running.ip }],
      startTime: running.startTime,
      containerStatuses,
    };
    this.#store.update('pods', { ...pod, status }, 'status');
  }

  #terminate(uid: string, pod: Pod): void {
    const running = this.#running.get(uid);
    if (!running) {
      this.#store.remove('pods', pod.metadata.namespace, pod.metadata.name);
      return;
    }
    if (running.isStopping) return;
    running.isStopping = true;
    const sleepSeconds = Math.max(
      0,
      ...pod.spec.containers.map(container => container.lifecycle?.preStop?.sleep?.seconds ?? 0),
    );
    const graceSeconds = pod.metadata.deletionGracePeriodSeconds ?? 30;
    const waitMs = Math.min(sleepSeconds, graceSeconds) * 1000 + ENDPOINT_PROPAGATION_MS;
    running.cancelStop = this.#clock.after(waitMs, () => void this.#stop(uid, running));
  }

  async #stop(uid: string, running: RunningPod): Promise<void> {
    running.isStopping = true;
    running.cancelStop();
    running.readiness.close();
    await Promise.all(running.containers.map(container => container.stop()));
    this.#running.delete(uid);
    const pod = this.#store.get('pods', running.namespace, running.name);
    if (pod?.metadata.uid === uid && pod.metadata.deletionTimestamp) {
      this.#store.remove('pods', running.namespace, running.name);
    }
  }
}

function containersNotReady(type: string, names: readonly string[]): Condition {
  const message = `containers with unready status: [${names.join(' ')}]`;
  return { type, status: 'False', reason: 'ContainersNotReady', message };
}

function sortedByType(conditions: readonly Condition[]): Condition[] {
  return [...conditions].sort((a, b) => (a.type < b.type ? -1 : 1));
}

function architectureOf(node: Node): Architecture {
  return node.status.nodeInfo.architecture === 'arm64' ? 'arm64' : 'amd64';
}

function environment(container: Container, pod: Pod, podIp: string): Record<string, string> {
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': pod.metadata.namespace,
    'metadata.uid': pod.metadata.uid,
    'spec.nodeName': pod.spec.nodeName,
    'status.podIP': podIp,
  };
  const label = (path: string) => pod.metadata.labels?.[/^metadata\.labels\['(.+)'\]$/.exec(path)?.[1] ?? ''];
  return Object.fromEntries(
    (container.env ?? []).map(({ name, value, valueFrom }) => {
      const path = valueFrom?.fieldRef?.fieldPath;
      return [name, value ?? (path ? (fields[path] ?? label(path)) : undefined) ?? ''];
    }),
  );
}
