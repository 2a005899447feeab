import type { Reading } from './conditions.ts';
import type { Condition, Policy } from './resources.ts';

export interface Incident {
  readonly id: string;
  readonly policy: Policy;
  /** The condition that the notification is about: the first one that was met. */
  readonly condition: Condition;
  readonly openedMs: number;
  /** Undefined while it is open. */
  closedMs: number | undefined;
  /** The newest value of that condition. */
  reading: Reading;
}

const SEVERITIES: Readonly<Record<Policy['severity'], string>> = {
  SEVERITY_UNSPECIFIED: 'No severity',
  CRITICAL: 'Critical',
  ERROR: 'Error',
  WARNING: 'Warning',
};

/** A stable number for a project id; real ones are given out. */
const PROJECT_NUMBER = 123456789012;

/**
 * A notification of schema version 1.2, https://cloud.google.com/monitoring/support/notification-options#schema-pubsub.
 * Times are in seconds; numbers that were measured are strings.
 */
export function notification(incident: Incident, renotify: boolean): object {
  const { id, policy, condition, openedMs, closedMs, reading } = incident;
  const project = policy.name.split('/')[1] ?? '';
  const { series, value } = reading;
  return {
    version: '1.2',
    incident: {
      incident_id: id,
      renotify,
      scoping_project_id: project,
      scoping_project_number: PROJECT_NUMBER,
      url: `https://console.cloud.google.com/monitoring/alerting/incidents/${id}?project=${project}`,
      severity: SEVERITIES[policy.severity],
      started_at: Math.floor(openedMs / 1000),
      ended_at: closedMs === undefined ? null : Math.floor(closedMs / 1000),
      state: closedMs === undefined ? 'open' : 'closed',
      summary: summaryOf(incident),
      observed_value: formatted(value),
      threshold_value: String(condition.conditionThreshold.thresholdValue),
      resource_id: '',
      resource_name: series ? resourceName(series.resource.labels) : '',
      resource_display_name: series ? resourceName(series.resource.labels) : '',
      resource_type_display_name: series?.resource.type ?? '',
      resource: series?.resource ?? { type: '', labels: {} },
      metric: {
        type: series?.metric.type ?? '',
        displayName: series?.metric.type ?? '',
        labels: series?.metric.labels ?? {},
      },
      metadata: { system_labels: {}, user_labels: {} },
      policy_name: policy.displayName,
      policy_user_labels: policy.userLabels,
      condition_name: condition.displayName,
      condition: {
        name: condition.name,
        displayName: condition.displayName,
        conditionThreshold: condition.conditionThreshold,
      },
      ...documentationOf(policy),
    },
  };
}

/** What the console sends for "Send test notification": it differs from a real one in more than its version. */
export function testNotification(): object {
  const example = { example: 'label' };
  const policy = 'projects/12345/alertPolicies/12345';
  return {
    version: 'test',
    incident: {
      incident_id: '12345',
      renotify: false,
      scoping_project_id: '12345',
      scoping_project_number: 12345,
      url: 'http://www.example.com',
      started_at: 0,
      ended_at: 0,
      state: 'OPEN',
      summary: 'Test Incident',
      observed_value: '1.0',
      threshold_value: '0.5',
      resource_id: '12345',
      resource_name: 'projects/12345/example_resources/12345',
      resource_display_name: 'Example Resource',
      resource_type_display_name: 'Example Resource Type',
      resource: { type: 'example_resource', labels: example },
      metric: { type: 'test.googleapis.com/metric', displayName: 'Test Metric', labels: example },
      metadata: { system_labels: example, user_labels: example },
      policy_name: policy,
      policy_user_labels: example,
      condition_name: 'Example condition',
      condition: {
        name: `${policy}/conditions/12345`,
        displayName: 'Example condition',
        conditionThreshold: {
          filter: 'metric.type="test.googleapis.com/metric" resource.type="example_resource"',
          aggregations: [{ alignmentPeriod: '60s', perSeriesAligner: 'ALIGN_MEAN' }],
          comparison: 'COMPARISON_GT',
          thresholdValue: 0.5,
          duration: '0s',
          trigger: { count: 1 },
        },
      },
      documentation: 'Test documentation',
    },
  };
}

function summaryOf({ policy, condition, closedMs, reading }: Incident): string {
  const threshold = condition.conditionThreshold.thresholdValue;
  const value = formatted(reading.value);
  return closedMs === undefined
    ? `${condition.displayName} for ${policy.displayName} is beyond the threshold of ${threshold} with a value of ${value}.`
    : `${condition.displayName} for ${policy.displayName} returned to normal with a value of ${value}.`;
}

function documentationOf({ documentation }: Policy): object {
  if (!documentation) return {};
  const { content, mimeType, subject } = documentation;
  return { documentation: { content, mime_type: mimeType, subject: subject ?? '', links: [] } };
}

function resourceName(labels: Readonly<Record<string, string>>): string {
  return labels['service_name'] ?? labels['backend_target_name'] ?? '';
}

function formatted(value: number): string {
  return value.toFixed(3);
}
