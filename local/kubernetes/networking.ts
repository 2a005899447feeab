import { type Pass, withCondition } from './controller.ts';
import {
  type Condition,
  type EndpointAddress,
  type Endpoints,
  type Gateway,
  type HttpRoute,
  type HttpRouteRule,
  isPodReady,
  type Pod,
  type Service,
} from './objects.ts';
import { matchesLabels } from './selectors.ts';

/** Keeps the Endpoints of every Service with a selector: ready pods that are not on their way out. */
export function reconcileEndpoints({ store }: Pass): void {
  for (const service of store.list('services')) {
    if (!service.spec.selector) continue;
    const { name, namespace = '' } = service.metadata;
    const endpoints: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name, namespace, ...(service.metadata.labels ? { labels: service.metadata.labels } : {}) },
      ...subsetsOf(service, store.list('pods', namespace)),
    };
    const existing = store.get('endpoints', namespace, name);
    if (!existing) store.create('endpoints', endpoints);
    else store.update('endpoints', { ...endpoints, metadata: existing.metadata });
  }
  for (const { metadata } of store.list('endpoints')) {
    if (!store.get('services', metadata.namespace, metadata.name)) {
      store.remove('endpoints', metadata.namespace, metadata.name);
    }
  }
}

function subsetsOf(service: Service, pods: readonly Pod[]): Pick<Endpoints, 'subsets'> {
  const chosen = pods.filter(
    pod =>
      pod.status?.podIP &&
      !pod.metadata.deletionTimestamp &&
      matchesLabels(service.spec.selector, pod.metadata.labels),
  );
  if (chosen.length === 0) return {};
  const ready = chosen.filter(isPodReady).map(address);
  const notReady = chosen.filter(pod => !isPodReady(pod)).map(address);
  const ports = (service.spec.ports ?? []).map(port => ({
    ...(port.name ? { name: port.name } : {}),
    port: typeof port.targetPort === 'number' ? port.targetPort : port.port,
    protocol: port.protocol ?? 'TCP',
  }));
  return {
    subsets: [
      {
        ...(ready.length > 0 ? { addresses: ready } : {}),
        ...(notReady.length > 0 ? { notReadyAddresses: notReady } : {}),
        ports,
      },
    ],
  };
}

function address(pod: Pod): EndpointAddress {
  const { name, namespace = '', uid = '' } = pod.metadata;
  return {
    ip: pod.status?.podIP ?? '',
    nodeName: pod.spec.nodeName ?? '',
    targetRef: { kind: 'Pod', name, namespace, uid },
  };
}

const CONTROLLER = 'networking.gke.io/gateway';

/** The load balancer as it is configured now: it follows the routes, a little later. */
export class GatewayController {
  /** From how long ago a change was seen until the load balancer has it. */
  readonly #programmingMs: number;
  readonly #address: () => string;
  readonly #seen = new Map<string, { generation: number; sinceMs: number }>();
  readonly #programmed = new Map<string, { generation: number; rules: readonly HttpRouteRule[] }>();

  constructor(programmingMs: number, address: () => string) {
    this.#programmingMs = programmingMs;
    this.#address = address;
  }

  /** The rules that requests follow now; undefined until the route was programmed for the first time. */
  rulesOf(route: HttpRoute): readonly HttpRouteRule[] | undefined {
    return this.#programmed.get(route.metadata.uid ?? '')?.rules;
  }

  reconcile(pass: Pass): void {
    for (const gateway of pass.store.list('gateways')) this.#reconcileGateway(pass, gateway);
    for (const route of pass.store.list('httproutes')) this.#reconcileRoute(pass, route);
  }

  #reconcileGateway(pass: Pass, gateway: Gateway): void {
    const conditions = ['Accepted', 'Programmed'].reduce<Condition[]>(
      (list, type) =>
        withCondition(
          list,
          { type, status: 'True', reason: type, message: '', observedGeneration: generationOf(gateway) },
          pass.nowMs,
        ),
      gateway.status?.conditions ?? [],
    );
    const addresses = [{ type: 'IPAddress', value: this.#address() }];
    pass.store.update('gateways', { ...gateway, status: { addresses, conditions } }, 'status');
  }

  #reconcileRoute(pass: Pass, route: HttpRoute): void {
    const uid = route.metadata.uid ?? '';
    const generation = generationOf(route);
    if (this.#seen.get(uid)?.generation !== generation) {
      this.#seen.set(uid, { generation, sinceMs: pass.nowMs });
    }
    const readyMs = (this.#seen.get(uid)?.sinceMs ?? pass.nowMs) + this.#programmingMs;
    if (pass.nowMs < readyMs) {
      pass.wakeAt(readyMs);
      return;
    }

    const missing = missingBackends(pass, route);
    const parents = (route.spec.parentRefs ?? [])
      .filter(parent => pass.store.get('gateways', parent.namespace ?? route.metadata.namespace, parent.name))
      .map(parentRef => {
        const before = route.status?.parents.find(one => one.parentRef.name === parentRef.name);
        const conditions = routeConditions(pass, before?.conditions, generation, missing);
        return { parentRef, controllerName: CONTROLLER, conditions };
      });
    // A load balancer keeps what it has when the new configuration does not resolve.
    if (missing.length === 0 && parents.length > 0) {
      this.#programmed.set(uid, { generation, rules: route.spec.rules ?? [] });
    }
    pass.store.update('httproutes', { ...route, status: { parents } }, 'status');
  }
}

function routeConditions(
  pass: Pass,
  before: readonly Condition[] | undefined,
  observedGeneration: number,
  missing: readonly string[],
): Condition[] {
  const resolved: Condition =
    missing.length === 0
      ? { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: '' }
      : { type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound', message: missing.join(', ') };
  const wanted: Condition[] = [
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
    resolved,
    {
      type: 'Reconciled',
      status: resolved.status,
      reason: missing.length === 0 ? 'Reconciled' : 'ReconciliationFailed',
      message: missing.join(', '),
    },
  ];
  return wanted.reduce<Condition[]>(
    (list, condition) => withCondition(list, { ...condition, observedGeneration }, pass.nowMs),
    [...(before ?? [])],
  );
}

function missingBackends({ store }: Pass, route: HttpRoute): string[] {
  const names = new Set(
    (route.spec.rules ?? []).flatMap(rule => (rule.backendRefs ?? []).map(ref => ref.name)),
  );
  return [...names]
    .filter(name => !store.get('services', route.metadata.namespace, name))
    .map(name => `Service ${route.metadata.namespace}/${name} not found`);
}

function generationOf(object: Gateway | HttpRoute): number {
  return object.metadata.generation ?? 1;
}
