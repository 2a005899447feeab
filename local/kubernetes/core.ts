import type { Clock } from '../clock.ts';
import type { Backend, DataPlane } from '../dataplane/dataplane.ts';
import type { Pass } from './controller.ts';
import { reconcileDeployments } from './deployments.ts';
import { collectGarbage } from './garbage.ts';
import { Kubelet } from './kubelet.ts';
import { GatewayController, reconcileEndpoints } from './networking.ts';
import { DEFAULT_NODE_POOLS, type NodePool, nodesOf } from './nodes.ts';
import type { HttpGet } from './readiness.ts';
import { type Admission, reconcileReplicaSets } from './replica-sets.ts';
import { schedule } from './scheduler.ts';
import { Store } from './store.ts';

export interface KubernetesOptions {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Which GKE cluster this is. */
  readonly project: string;
  readonly location: string;
  readonly cluster: string;
  readonly nodePools?: readonly NodePool[];
  /** For readiness probes; without it a container is ready as soon as it listens. */
  readonly httpGet?: HttpGet;
  /** Quotas and admission webhooks. */
  readonly admission?: Admission;
  /** How long the load balancer takes to follow a changed route; 200 unless told. */
  readonly programmingMs?: number;
  /** What Gateways report as their address. */
  readonly gatewayAddress?: () => string;
}

/** Passes in which controllers may answer each other's changes before the pass counts as endless. */
const MOST_ROUNDS = 200;

/** A cluster: its objects, and the controllers that act on them whenever something changes. */
export class Kubernetes {
  readonly store: Store;
  readonly clock: Clock;
  readonly nodePools: readonly NodePool[];
  readonly #options: KubernetesOptions;
  readonly #kubelet: Kubelet;
  readonly #gateways: GatewayController;
  readonly #wakeUps = new Map<number, () => void>();
  #isPassDue = false;
  #isClosed = false;

  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.nodePools = options.nodePools ?? DEFAULT_NODE_POOLS;
    this.store = new Store(options.clock);
    this.#kubelet = new Kubelet(this.store, options.clock, options.dataPlane, options.httpGet, () =>
      this.#passSoon(),
    );
    this.#gateways = new GatewayController(
      options.programmingMs ?? 200,
      options.gatewayAddress ?? (() => '127.0.0.1'),
    );
    this.store.onChange(() => this.#passSoon());
    this.#populate();
  }

  /** Where requests to the route go now: what the load balancer was programmed with, and the pods that are ready. */
  backendsOf(namespace: string, httpRoute: string): Backend[] {
    const route = this.store.get('httproutes', namespace, httpRoute);
    const [rule] = (route && this.#gateways.rulesOf(route)) ?? [];
    const { project, location, cluster } = this.#options;
    return (rule?.backendRefs ?? []).map(({ name, port = 0, weight = 1 }) => ({
      by: { kind: 'gke', project, location, cluster, namespace, service: name, port },
      weight,
      urls: this.urlsOf(namespace, name),
    }));
  }

  /** Where the ready pods of a Service listen. */
  urlsOf(namespace: string, service: string): string[] {
    const subsets = this.store.get('endpoints', namespace, service)?.subsets ?? [];
    return subsets
      .flatMap(subset => subset.addresses ?? [])
      .flatMap(({ targetRef }) => this.#kubelet.urlOf(targetRef.uid) ?? []);
  }

  /** Last lines of a container's log; undefined for a container that was never started. */
  logOf(podUid: string, container: string | undefined, previous: boolean): readonly string[] | undefined {
    return this.#kubelet.logOf(podUid, container, previous);
  }

  /** Stops the controllers and every pod. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const cancel of this.#wakeUps.values()) cancel();
    await this.#kubelet.close();
  }

  #populate(): void {
    for (const name of ['default', 'kube-system']) {
      this.store.create('namespaces', {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      });
    }
    const { cluster, location, clock } = this.#options;
    for (const pool of this.nodePools) {
      for (const node of nodesOf(pool, cluster, location, clock.nowMs())) this.store.create('nodes', node);
    }
    this.store.create('gatewayclasses', {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'gke-l7-global-external-managed' },
      spec: { controllerName: 'networking.gke.io/gateway' },
    });
  }

  #passSoon(): void {
    if (this.#isPassDue || this.#isClosed) return;
    this.#isPassDue = true;
    this.clock.after(0, () => {
      if (!this.#isClosed) this.#pass();
      this.#isPassDue = false;
    });
  }

  /** Runs every controller until none of them changes anything any more. */
  #pass(): void {
    const pass: Pass = {
      store: this.store,
      nowMs: this.clock.nowMs(),
      wakeAt: timeMs => this.#wakeAt(timeMs),
    };
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const before = this.store.resourceVersion;
      collectGarbage(pass);
      reconcileDeployments(pass);
      reconcileReplicaSets(pass, this.#options.admission ?? (() => undefined));
      schedule(this.store, pass.nowMs);
      this.#kubelet.reconcile(pass);
      reconcileEndpoints(pass);
      this.#gateways.reconcile(pass);
      if (this.store.resourceVersion === before) return;
    }
    throw new Error(`the controllers did not come to rest in ${MOST_ROUNDS} rounds`);
  }

  #wakeAt(timeMs: number): void {
    if (this.#wakeUps.has(timeMs)) return;
    const cancel = this.clock.after(timeMs - this.clock.nowMs(), () => {
      this.#wakeUps.delete(timeMs);
      this.#passSoon();
    });
    this.#wakeUps.set(timeMs, cancel);
  }
}
