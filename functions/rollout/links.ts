import type { TargetSpec } from './policy.ts';
import type { Rollout } from './record.ts';

/** Where on Google Cloud a person sees more. */
export interface Link {
  readonly label: string;
  readonly url: string;
  /** The target that it is about, if it is about one. */
  readonly target?: string;
}

const CONSOLE = 'https://console.cloud.google.com';

/**
 * Logs, the execution, the open incidents and each target's page in the Google Cloud console.
 *
 * @param project the one that Slipway runs in
 */
export function linksOf(rollout: Rollout, project: string): Link[] {
  return [
    { label: 'Logs', url: logsUrl(rollout, project) },
    ...executionLink(rollout),
    ...incidentLinks(rollout, project),
    ...rollout.spec.targets.map(targetLink),
  ];
}

/** Every decision about the rollout, in the Logs Explorer. */
export function logsUrl(
  { id, createdMs, updatedMs }: Pick<Rollout, 'id' | 'createdMs' | 'updatedMs'>,
  project: string,
): string {
  const query = `jsonPayload.rollout="${id}"`;
  const from = new Date(createdMs - 60_000).toISOString();
  const to = new Date(updatedMs + 3_600_000).toISOString();
  return `${CONSOLE}/logs/query;query=${encodeURIComponent(query)};timeRange=${from}%2F${to}?project=${encodeURIComponent(project)}`;
}

function executionLink({ owner }: Rollout): Link[] {
  const [, project, location, workflow, execution] =
    /^projects\/([^/]+)\/locations\/([^/]+)\/workflows\/([^/]+)\/executions\/([^/]+)$/.exec(
      owner?.execution ?? '',
    ) ?? [];
  if (!project || !location || !workflow || !execution) return [];
  const path = [location, workflow, 'execution', execution].map(encodeURIComponent).join('/');
  return [
    {
      label: 'Execution',
      url: `${CONSOLE}/workflows/workflow/${path}?project=${encodeURIComponent(project)}`,
    },
  ];
}

function incidentLinks({ history }: Rollout, project: string): Link[] {
  const ids = new Set(history.flatMap(({ incident }) => incident ?? []));
  return [...ids].map(id => incidentLink(id, project));
}

/** @param id Monitoring's */
export function incidentLink(id: string, project: string): Link {
  return {
    label: `Incident ${id}`,
    url: `${CONSOLE}/monitoring/alerting/incidents/${encodeURIComponent(id)}?project=${encodeURIComponent(project)}`,
  };
}

function targetLink({ name, cloudRun, gke }: TargetSpec): Link {
  const target = name;
  if (cloudRun) {
    const [project, region, service] = [cloudRun.project, cloudRun.region, cloudRun.service].map(
      encodeURIComponent,
    );
    return {
      label: `Cloud Run ${name}`,
      url: `${CONSOLE}/run/detail/${region}/${service}/revisions?project=${project}`,
      target,
    };
  }
  const [, project = '', , location = '', , cluster = ''] = (gke?.cluster ?? '')
    .split('/')
    .map(encodeURIComponent);
  const place = [location, cluster, gke?.namespace ?? '', gke?.deployment ?? ''].join('/');
  return {
    label: `GKE ${name}`,
    url: `${CONSOLE}/kubernetes/deployment/${place}/overview?project=${project}`,
    target,
  };
}
