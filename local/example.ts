import { readdir, readFile } from 'node:fs/promises';
import { v3 } from '@google-cloud/monitoring';
import { options } from '../functions/google/clients.ts';
import { SERVICE_LABEL } from '../functions/handlers/slo-alert.ts';
import type { LocalCloud } from './cloud.ts';
import { applyManifests } from './kubernetes/apply-manifests.ts';
import { EXAMPLE_SERVICE, PROJECT } from './names.ts';
import { topicName } from './wiring.ts';

/** What the team that owns the example service has before its first push: a load balancer, manifests and SLOs. */

const REGIONS = ['us-east4', 'europe-west1', 'asia-northeast1'];

export interface ExampleOptions {
  /** SLO in percent. */
  readonly availability: number;
  /** Burn rate at which the alert fires, and the window it is measured over. */
  readonly burnRate: number;
  readonly windowSeconds: number;
}

export async function setUpExample(cloud: LocalCloud, slo: ExampleOptions): Promise<void> {
  attachRegions(cloud);
  await applyManifests(await readFile(cloud.kubeconfigFile, 'utf8'), await manifests());
  await createSlos(cloud.urls.monitoring, slo);
}

function attachRegions({ cores: { compute } }: LocalCloud): void {
  for (const region of REGIONS) {
    compute.insertNetworkEndpointGroup(PROJECT, region, {
      name: `${EXAMPLE_SERVICE}-${region}`,
      networkEndpointType: 'SERVERLESS',
      cloudRun: { service: EXAMPLE_SERVICE },
    });
  }
  compute.insertBackendService(PROJECT, {
    name: EXAMPLE_SERVICE,
    loadBalancingScheme: 'EXTERNAL_MANAGED',
    protocol: 'HTTPS',
    backends: REGIONS.map(region => ({
      group: `https://www.googleapis.com/compute/v1/projects/${PROJECT}/regions/${region}/networkEndpointGroups/${EXAMPLE_SERVICE}-${region}`,
    })),
  });
}

async function manifests(): Promise<string[]> {
  const folder = new URL('../k8s/', import.meta.url);
  const files = (await readdir(folder)).filter(file => file.endsWith('.yaml')).sort();
  return Promise.all(files.map(file => readFile(new URL(file, folder), 'utf8')));
}

interface Indicator {
  readonly id: string;
  readonly total: string;
  readonly good: string;
}

const CLOUD_RUN = `metric.type="run.googleapis.com/request_count" resource.type="cloud_run_revision" resource.label."service_name"="${EXAMPLE_SERVICE}"`;
const GATEWAY = `metric.type="loadbalancing.googleapis.com/https/backend_request_count" resource.type="https_lb_rule" resource.label."backend_target_name"=monitoring.regex.full_match("gkegw1-[a-z0-9]+-default-${EXAMPLE_SERVICE}(-canary)?-[0-9]+-[a-z0-9]+")`;

/** The two ways in are measured by different metrics, so each has an SLO of its own; both alerts name the service. */
const INDICATORS: readonly Indicator[] = [
  { id: 'cloud-run', total: CLOUD_RUN, good: `${CLOUD_RUN} metric.label."response_code_class"!="5xx"` },
  { id: 'gateway', total: GATEWAY, good: `${GATEWAY} metric.label."response_code_class"!=500` },
];

async function createSlos(
  endpoint: string,
  { availability, burnRate, windowSeconds }: ExampleOptions,
): Promise<void> {
  const parent = `projects/${PROJECT}`;
  const [channel] = await new v3.NotificationChannelServiceClient(
    options(endpoint),
  ).createNotificationChannel({
    name: parent,
    notificationChannel: {
      type: 'pubsub',
      displayName: 'rollback',
      labels: { topic: topicName('slo-alerts') },
    },
  });
  const services = new v3.ServiceMonitoringServiceClient(options(endpoint));
  const policies = new v3.AlertPolicyServiceClient(options(endpoint));
  const [service] = await services.createService({
    parent,
    serviceId: EXAMPLE_SERVICE,
    service: { displayName: EXAMPLE_SERVICE, custom: {} },
  });
  for (const { id, good, total } of INDICATORS) {
    const [slo] = await services.createServiceLevelObjective({
      parent: service.name ?? '',
      serviceLevelObjectiveId: id,
      serviceLevelObjective: {
        displayName: `${availability} % of ${id} requests`,
        goal: availability / 100,
        rollingPeriod: { seconds: 86_400 },
        serviceLevelIndicator: {
          requestBased: { goodTotalRatio: { goodServiceFilter: good, totalServiceFilter: total } },
        },
      },
    });
    await policies.createAlertPolicy({
      name: parent,
      alertPolicy: {
        displayName: `${EXAMPLE_SERVICE} ${id} rollout-guard`,
        combiner: 'AND',
        severity: 'CRITICAL',
        userLabels: { [SERVICE_LABEL]: EXAMPLE_SERVICE },
        notificationChannels: [channel.name ?? ''],
        conditions: [
          {
            displayName: `burns ${burnRate}x over ${windowSeconds} s`,
            conditionThreshold: {
              filter: `select_slo_burn_rate("${slo.name}", "${windowSeconds}s")`,
              comparison: 'COMPARISON_GT',
              thresholdValue: burnRate,
              duration: { seconds: 0 },
            },
          },
        ],
      },
    });
  }
}
