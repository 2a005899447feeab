import { createHash } from 'node:crypto';
import type { ServedBy, UsedCpu } from '../dataplane/dataplane.ts';
import type { Labels, SeriesId, TimeSeries, ValueType } from './time-series.ts';

export interface MetricDescriptor {
  readonly resource: 'cloud_run_revision' | 'https_lb_rule' | 'prometheus_target' | 'k8s_container';
  readonly valueType: ValueType;
  readonly unit: string;
}

/** https://cloud.google.com/monitoring/api/metrics_gcp */
export const METRICS: ReadonlyMap<string, MetricDescriptor> = new Map<string, MetricDescriptor>([
  ['run.googleapis.com/request_count', { resource: 'cloud_run_revision', valueType: 'INT64', unit: '1' }],
  [
    'run.googleapis.com/request_latencies',
    { resource: 'cloud_run_revision', valueType: 'DISTRIBUTION', unit: 'ms' },
  ],
  [
    'loadbalancing.googleapis.com/https/backend_request_count',
    { resource: 'https_lb_rule', valueType: 'INT64', unit: '1' },
  ],
  [
    'loadbalancing.googleapis.com/https/backend_latencies',
    { resource: 'https_lb_rule', valueType: 'DISTRIBUTION', unit: 'ms' },
  ],
]);

/** https://cloud.google.com/monitoring/api/metrics_gcp and metrics_kubernetes */
export const CPU_METRICS: ReadonlyMap<string, MetricDescriptor> = new Map<string, MetricDescriptor>([
  [
    'run.googleapis.com/container/cpu/utilizations',
    { resource: 'cloud_run_revision', valueType: 'DISTRIBUTION', unit: '10^2.%' },
  ],
  [
    'kubernetes.io/container/cpu/request_utilization',
    { resource: 'k8s_container', valueType: 'DOUBLE', unit: '1' },
  ],
]);

/** Numbers that stand for a moment. */
export function kindOf({ valueType }: MetricDescriptor): TimeSeries['metricKind'] {
  return valueType === 'DOUBLE' ? 'GAUGE' : 'DELTA';
}

/**
 * What containers in a cluster would count of themselves with any Prometheus library. Managed Prometheus keeps its metrics
 * under such types, but here they can be asked for in PromQL alone.
 */
export const APPLICATION_METRICS: ReadonlyMap<string, MetricDescriptor> = new Map<string, MetricDescriptor>([
  [
    'prometheus.googleapis.com/http_requests_total/counter',
    { resource: 'prometheus_target', valueType: 'INT64', unit: '1' },
  ],
]);

/** A series of this metric before its first point; undefined for a metric that nobody writes. */
export function emptySeries(type: string): TimeSeries | undefined {
  const descriptor = METRICS.get(type) ?? CPU_METRICS.get(type);
  if (!descriptor) return undefined;
  const { resource, valueType, unit } = descriptor;
  return {
    metric: { type, labels: {} },
    resource: { type: resource, labels: {} },
    metricKind: kindOf(descriptor),
    valueType,
    unit,
    points: [],
  };
}

/** Whatever counts a request, and the labels it gives the request itself. */
export interface Observer {
  readonly resource: SeriesId['resource'];
  readonly metricLabels: Labels;
}

export function observersOf(by: ServedBy, status: number): Observer[] {
  const observer = { resource: resourceOf(by), metricLabels: responseLabels(by, status) };
  return by.kind === 'cloudRun' ? [observer] : [observer, applicationOf(by, status)];
}

/** Whoever uses CPU. */
export function consumerOf({ by }: UsedCpu): Observer {
  if (by.kind === 'cloudRun') return { resource: resourceOf(by), metricLabels: { container_name: '' } };
  const { project, location, cluster, namespace, pod, container } = by;
  return {
    resource: {
      type: 'k8s_container',
      labels: {
        project_id: project,
        location,
        cluster_name: cluster,
        namespace_name: namespace,
        pod_name: pod,
        container_name: container,
      },
    },
    metricLabels: {},
  };
}

/** As a PodMonitoring resource has it that takes `deployment` over from the pods. */
function applicationOf(by: ServedBy & { kind: 'gke' }, status: number): Observer {
  const { project, location, cluster, namespace, service, port } = by;
  return {
    resource: {
      type: 'prometheus_target',
      labels: {
        project_id: project,
        location,
        cluster,
        namespace,
        job: service,
        instance: `${service}:${port}`,
      },
    },
    metricLabels: { deployment: service, code: String(status) },
  };
}

function resourceOf(by: ServedBy): SeriesId['resource'] {
  if (by.kind === 'cloudRun') {
    return {
      type: 'cloud_run_revision',
      labels: {
        project_id: by.project,
        location: by.region,
        service_name: by.service,
        revision_name: by.revision,
        configuration_name: by.service,
      },
    };
  }
  const backend = gatewayBackendName(by);
  return {
    type: 'https_lb_rule',
    labels: {
      project_id: by.project,
      region: 'global',
      url_map_name: `gkegw1-${hash(by.cluster, 4)}-${by.namespace}-gateway`,
      backend_target_name: backend,
      backend_target_type: 'BACKEND_SERVICE',
      backend_name: backend,
      backend_type: 'NETWORK_ENDPOINT_GROUP',
      backend_scope: by.location,
      backend_scope_type: 'ZONE',
    },
  };
}

/** Cloud Run says `5xx`, the load balancer `500`. */
function responseLabels(by: ServedBy, status: number): Labels {
  const hundreds = Math.floor(status / 100);
  return {
    response_code: String(status),
    response_code_class: by.kind === 'cloudRun' ? `${hundreds}xx` : String(hundreds * 100),
  };
}

const MAX_NAME_LENGTH = 63;

/**
 * GKE's Gateway controller names backend services `gkegw1-HASH-NAMESPACE-SERVICE-PORT-HASH` and cuts namespace and
 * service, in proportion to their lengths, where that is more than a resource name may have.
 */
function gatewayBackendName({
  project,
  cluster,
  namespace,
  service,
  port,
}: ServedBy & { kind: 'gke' }): string {
  const prefix = `gkegw1-${hash(`${project}/${cluster}`, 4)}`;
  const suffix = `${port}-${hash(`${project}/${cluster}/${namespace}/${service}/${port}`, 12)}`;
  const room = MAX_NAME_LENGTH - prefix.length - suffix.length - 3;
  const excess = namespace.length + service.length - room;
  if (excess <= 0) return [prefix, namespace, service, suffix].join('-');
  const cutFromNamespace = Math.ceil((excess * namespace.length) / (namespace.length + service.length));
  const shortNamespace = namespace.slice(0, namespace.length - cutFromNamespace);
  return [prefix, shortNamespace, service.slice(0, room - shortNamespace.length), suffix].join('-');
}

function hash(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest('hex');
  return BigInt(`0x${digest}`).toString(36).slice(0, length);
}
