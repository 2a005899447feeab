import { type protos, v3 } from '@google-cloud/monitoring';
import { options } from '../functions/google/clients.ts';
import { SERVICE_LABEL } from '../functions/handlers/slo-alert.ts';
import { ALERT_POLICIES, type AlertPolicy } from '../functions/rollout/alerts.ts';
import { EXAMPLE_SERVICE, PROJECT } from './names.ts';
import { topicName } from './wiring.ts';

/** The example's SLOs, as `slo` in its policy has them. */
export interface ExampleSlo {
  /** Percent. */
  readonly availability: number;
  readonly latency: { readonly thresholdMs: number /** Percent. */; readonly target: number };
  /** What five minutes of an alert's window become; the other windows shrink in proportion. */
  readonly windowSeconds: number;
}

type Filter = string;

/** How the requests of one way in are counted. */
interface WayIn {
  readonly id: string;
  readonly requests: Filter;
  readonly good: Filter;
  readonly latencies: Filter;
}

const CLOUD_RUN = `resource.type="cloud_run_revision" resource.label."service_name"="${EXAMPLE_SERVICE}"`;
const GATEWAY = `resource.type="https_lb_rule" resource.label."backend_target_name"=monitoring.regex.full_match("gkegw1-[a-z0-9]+-default-${EXAMPLE_SERVICE}(-canary)?-[0-9]+-[a-z0-9]+")`;
const RUN_REQUESTS = `metric.type="run.googleapis.com/request_count" ${CLOUD_RUN}`;
const GATEWAY_REQUESTS = `metric.type="loadbalancing.googleapis.com/https/backend_request_count" ${GATEWAY}`;

/** They are measured by different metrics, so each has SLOs of its own; all of their alerts name the service. */
const WAYS_IN: readonly WayIn[] = [
  {
    id: 'cloud-run',
    requests: RUN_REQUESTS,
    good: `${RUN_REQUESTS} metric.label."response_code_class"!="5xx"`,
    latencies: `metric.type="run.googleapis.com/request_latencies" ${CLOUD_RUN}`,
  },
  {
    id: 'gateway',
    requests: GATEWAY_REQUESTS,
    good: `${GATEWAY_REQUESTS} metric.label."response_code_class"!=500`,
    latencies: `metric.type="loadbalancing.googleapis.com/https/backend_latencies" ${GATEWAY}`,
  },
];

type NewSlo = protos.google.monitoring.v3.IServiceLevelObjective & { readonly id: string };

const PARENT = `projects/${PROJECT}`;

/** Per way in an SLO of availability and one of latency, each with every alert policy there is. */
export async function createSlos(endpoint: string, slo: ExampleSlo): Promise<void> {
  const services = new v3.ServiceMonitoringServiceClient(options(endpoint));
  const policies = new v3.AlertPolicyServiceClient(options(endpoint));
  const channel = await createChannel(endpoint);
  const [service] = await services.createService({
    parent: PARENT,
    serviceId: EXAMPLE_SERVICE,
    service: { displayName: EXAMPLE_SERVICE, custom: {} },
  });
  for (const wayIn of WAYS_IN) {
    for (const { id, ...wanted } of slosOf(wayIn, slo)) {
      const [made] = await services.createServiceLevelObjective({
        parent: service.name ?? '',
        serviceLevelObjectiveId: id,
        serviceLevelObjective: wanted,
      });
      for (const policy of ALERT_POLICIES) {
        const name = `${EXAMPLE_SERVICE} ${id} ${policy.name}`;
        const conditions = conditionsOf(policy, made.name ?? '', wayIn.requests, slo.windowSeconds / 300);
        await policies.createAlertPolicy({
          name: PARENT,
          alertPolicy: alertPolicy(name, channel, conditions),
        });
      }
    }
  }
  await Promise.all([services.close(), policies.close()]);
}

async function createChannel(endpoint: string): Promise<string> {
  const channels = new v3.NotificationChannelServiceClient(options(endpoint));
  const [channel] = await channels.createNotificationChannel({
    name: PARENT,
    notificationChannel: {
      type: 'pubsub',
      displayName: 'rollback',
      labels: { topic: topicName('slo-alerts') },
    },
  });
  await channels.close();
  return channel.name ?? '';
}

function slosOf({ id, requests, good, latencies }: WayIn, { availability, latency }: ExampleSlo): NewSlo[] {
  const rollingPeriod = { seconds: 30 * 86_400 };
  return [
    {
      id: `${id}-availability`,
      displayName: `${availability} % of ${id} requests are answered`,
      goal: availability / 100,
      rollingPeriod,
      serviceLevelIndicator: {
        requestBased: { goodTotalRatio: { goodServiceFilter: good, totalServiceFilter: requests } },
      },
    },
    {
      id: `${id}-latency`,
      displayName: `${latency.target} % of ${id} requests are answered within ${latency.thresholdMs} ms`,
      goal: latency.target / 100,
      rollingPeriod,
      serviceLevelIndicator: {
        requestBased: {
          distributionCut: { distributionFilter: latencies, range: { max: latency.thresholdMs } },
        },
      },
    },
  ];
}

type Condition = protos.google.monitoring.v3.AlertPolicy.ICondition;

function conditionsOf(
  { burnRate, windowsSeconds, minRequests }: AlertPolicy,
  slo: string,
  requests: Filter,
  scale: number,
): Condition[] {
  const windows = windowsSeconds.map(seconds => Math.round(seconds * scale));
  const burning = windows.map(seconds => ({
    displayName: `burns ${burnRate}x over ${seconds} s`,
    conditionThreshold: {
      filter: `select_slo_burn_rate("${slo}", "${seconds}s")`,
      comparison: 'COMPARISON_GT' as const,
      thresholdValue: burnRate,
      duration: { seconds: 0 },
    },
  }));
  if (minRequests === 0) return burning;
  const seconds = Math.min(...windows);
  const enough = {
    displayName: `at least ${minRequests} requests in ${seconds} s`,
    conditionThreshold: {
      filter: requests,
      // A condition can be above and below a number, not at it.
      comparison: 'COMPARISON_GT' as const,
      thresholdValue: minRequests - 1,
      duration: { seconds: 0 },
      aggregations: [
        {
          alignmentPeriod: { seconds },
          perSeriesAligner: 'ALIGN_DELTA' as const,
          crossSeriesReducer: 'REDUCE_SUM' as const,
        },
      ],
    },
  };
  return [...burning, enough];
}

function alertPolicy(
  displayName: string,
  channel: string,
  conditions: Condition[],
): protos.google.monitoring.v3.IAlertPolicy {
  return {
    displayName,
    // The conditions are about different resources, an SLO and a metric, so their resources never match.
    combiner: 'AND',
    severity: 'CRITICAL',
    userLabels: { [SERVICE_LABEL]: EXAMPLE_SERVICE },
    notificationChannels: [channel],
    alertStrategy: { autoClose: { seconds: 1800 } },
    conditions,
  };
}
