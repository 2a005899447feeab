import type { TargetSpec } from '../rollout/policy.ts';
import { type Rollout, revisionOf } from '../rollout/record.ts';
import type { MetricTarget } from './reading.ts';

/** What to count of a target; nothing where there is no way to. */
export function metricTarget(rollout: Rollout, spec: TargetSpec): MetricTarget[] {
  const { name, cloudRun, gke } = spec;
  if (cloudRun) {
    const stable = rollout.targets[name]?.stable?.revision;
    return [{ name, kind: 'cloudRun', ...cloudRun, canary: revisionOf(rollout, cloudRun.service), stable }];
  }
  if (!gke) return [];
  const [, project = '', , location = '', , cluster = ''] = gke.cluster.split('/');
  const { namespace, deployment, prometheus } = gke;
  return [
    {
      name,
      kind: 'gke',
      project,
      location,
      cluster,
      namespace,
      canary: `${deployment}-canary`,
      stable: deployment,
      prometheus,
    },
  ];
}
