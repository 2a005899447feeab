import { z } from 'zod';
import { SlipwayError } from '../errors.ts';

/** The parts of Kubernetes objects that a rollout reads. Unknown fields stay: objects are copied and sent back. */

const metadata = z.looseObject({
  name: z.string(),
  resourceVersion: z.string(),
  generation: z.number().default(0),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  deletionTimestamp: z.string().optional(),
});

const condition = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(''),
  message: z.string().default(''),
  lastTransitionTime: z.string().optional(),
  observedGeneration: z.number().optional(),
});

const toleration = z.looseObject({ key: z.string().optional(), value: z.string().optional() });

const podTemplate = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).default({}) }).default({ labels: {} }),
  spec: z.looseObject({
    containers: z.array(z.looseObject({ name: z.string(), image: z.string() })),
    nodeSelector: z.record(z.string(), z.string()).optional(),
    tolerations: z.array(toleration).optional(),
  }),
});

const deployment = z.looseObject({
  metadata,
  spec: z.looseObject({
    replicas: z.number(),
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).default({}) }),
    template: podTemplate,
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(0),
      replicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      readyReplicas: z.number().default(0),
      availableReplicas: z.number().default(0),
      conditions: z.array(condition).default([]),
    })
    .prefault({}),
});

const backendRef = z.looseObject({
  name: z.string(),
  port: z.number().optional(),
  weight: z.number().default(1),
});

const httpRoute = z.looseObject({
  metadata,
  spec: z.looseObject({
    rules: z.array(z.looseObject({ backendRefs: z.array(backendRef).default([]) })).default([]),
  }),
  status: z
    .looseObject({
      parents: z.array(z.looseObject({ conditions: z.array(condition).default([]) })).default([]),
    })
    .prefault({}),
});

const containerState = z
  .looseObject({
    waiting: z.looseObject({ reason: z.string().default(''), message: z.string().default('') }).optional(),
    terminated: z
      .looseObject({
        exitCode: z.number(),
        reason: z.string().default(''),
        message: z.string().default(''),
      })
      .optional(),
  })
  .default({});

const containerStatus = z.looseObject({
  name: z.string(),
  imageID: z.string().default(''),
  restartCount: z.number().default(0),
  state: containerState,
  lastState: containerState,
});

const pod = z.looseObject({
  metadata,
  spec: z.looseObject({ nodeName: z.string().optional() }),
  status: z
    .looseObject({
      conditions: z.array(condition).default([]),
      initContainerStatuses: z.array(containerStatus).default([]),
      containerStatuses: z.array(containerStatus).default([]),
    })
    .prefault({}),
});

const node = z.looseObject({ metadata });

const autoscaler = z.looseObject({
  metadata,
  spec: z.looseObject({
    minReplicas: z.number().default(1),
    scaleTargetRef: z.looseObject({ kind: z.string(), name: z.string() }),
  }),
});

const service = z.looseObject({
  spec: z.looseObject({ ports: z.array(z.looseObject({ port: z.number() })).default([]) }),
});

export type Condition = z.infer<typeof condition>;
export type Deployment = z.infer<typeof deployment>;
export type HttpRoute = z.infer<typeof httpRoute>;
export type Pod = z.infer<typeof pod>;
export type ContainerStatus = z.infer<typeof containerStatus>;
export type Autoscaler = z.infer<typeof autoscaler>;

export const parseDeployment = parser('Deployment', deployment);
export const parseHttpRoute = parser('HTTPRoute', httpRoute);
export const parseNode = parser('Node', node);
export const parseService = parser('Service', service);
export const parsePods = parser('PodList', z.looseObject({ items: z.array(pod) }));
export const parseAutoscalers = parser(
  'HorizontalPodAutoscalerList',
  z.looseObject({ items: z.array(autoscaler) }),
);

function parser<T>(kind: string, schema: z.ZodType<T>): (value: unknown) => T {
  return value => {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    throw new SlipwayError(
      `the cluster answered with an unexpected ${kind}: ${z.prettifyError(result.error)}`,
      {
        code: 'Internal',
        operation: `kubernetes.parse ${kind}`,
        cause: result.error,
      },
    );
  };
}

export const ROLLOUT = 'slipway.dev/rollout';
export const EPOCH = 'slipway.dev/epoch';
export const REVISION = 'slipway.dev/revision';
/** On the stable Deployment: the scale that its first rollout gives it. */
export const REPLICAS = 'slipway.dev/replicas';
/** On the stable Deployment, while a rollout without a route holds it below that: its own scale. */
export const SCALE = 'slipway.dev/scale';
/** On the stable Deployment, from the start of its first rollout until it was ready for the first time. */
export const UNPROVEN = 'slipway.dev/unproven';
/** On what splits the traffic: the rollout whose canary serves everything, until it is settled or restored. */
export const PROMOTED = 'slipway.dev/promoted';

export function imageOf(workload: Deployment, container: string): string {
  return workload.spec.template.spec.containers.find(one => one.name === container)?.image ?? '';
}

export function digestIn(image: string): string | undefined {
  return /sha256:[0-9a-f]{64}$/.exec(image)?.[0];
}

/** Pods of the current template that are ready; 0 while the controller has not looked at the latest change. */
export function readyOf({ metadata: { generation }, status }: Deployment): number {
  if (status.observedGeneration < generation || status.updatedReplicas !== status.replicas) return 0;
  return status.readyReplicas;
}

export function isRolledOut(workload: Deployment): boolean {
  const { status, spec, metadata: meta } = workload;
  return (
    status.observedGeneration >= meta.generation &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  );
}

/** Whether its status counts this many pods, ready or not, that are to stay. */
export function hasPods({ status, metadata: { generation } }: Deployment, count: number): boolean {
  return status.observedGeneration >= generation && status.replicas === count;
}

/** Whether every load balancer that the route belongs to works by its latest version, or why not. */
export function routeState(route: HttpRoute): 'programmed' | { readonly waitingFor: string } {
  const { parents } = route.status;
  if (parents.length === 0) return { waitingFor: 'no Gateway has taken the route yet' };
  for (const { conditions } of parents) {
    for (const one of conditions) {
      if ((one.observedGeneration ?? route.metadata.generation) < route.metadata.generation) {
        return { waitingFor: 'the Gateway has not seen the latest weights yet' };
      }
    }
    for (const type of ['Accepted', 'ResolvedRefs', 'Reconciled']) {
      const one = conditions.find(each => each.type === type);
      // Reconciled is GKE's own.
      if (one?.status === 'True' || (!one && type === 'Reconciled')) continue;
      return {
        waitingFor: `${type} is ${one?.status ?? 'missing'}: ${one?.message || one?.reason || 'no reason'}`,
      };
    }
  }
  return 'programmed';
}
