import {
  type Container,
  isFields,
  type KubeObject,
  type PodSpec,
  type PodTemplate,
  type Toleration,
} from './objects.ts';
import { findKind } from './resources.ts';
import { matchesSelector } from './selectors.ts';
import { KubeError } from './status.ts';

/**
 * Parses what a client sent into an object of the API: checked where the controllers rely on it, with the defaults that
 * the real server fills in.
 */
export function admitted(sent: unknown): KubeObject {
  const value: unknown = structuredClone(sent);
  if (!isFields(value) || !isFields(value['metadata'])) {
    throw new KubeError('BadRequest', 'the object has no metadata');
  }
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !findKind(apiVersion, kind)) {
    throw new KubeError('BadRequest', `no kind "${String(kind)}" is registered for "${String(apiVersion)}"`);
  }
  const { name, generateName } = metadata;
  if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/.test(name)) {
    throw invalid(kind, String(name ?? generateName), 'metadata.name', 'must be a DNS-1123 name');
  }
  const object: KubeObject = { ...value, apiVersion, kind, metadata: { ...metadata, name } };
  DEFAULTS[kind]?.(object);
  return object;
}

const DEFAULTS: Readonly<Record<string, (object: KubeObject) => void>> = {
  Deployment(object) {
    const spec = specOf(object);
    spec['replicas'] ??= 1;
    spec['progressDeadlineSeconds'] ??= 600;
    spec['revisionHistoryLimit'] ??= 10;
    spec['strategy'] = strategy(spec['strategy']);
    requireCount(object, 'replicas');
    const template = templateOf(object, spec['template']);
    const selector = isFields(spec['selector']) ? spec['selector'] : undefined;
    if (!selector || !matchesSelector(selector, template.metadata?.labels)) {
      throw invalid(
        object.kind,
        object.metadata.name,
        'spec.template.metadata.labels',
        '`selector` does not match template `labels`',
      );
    }
  },
  ReplicaSet(object) {
    specOf(object)['replicas'] ??= 1;
    templateOf(object, specOf(object)['template']);
  },
  Pod(object) {
    podSpec(object, object.spec);
  },
  Service(object) {
    const spec = specOf(object);
    spec['type'] ??= 'ClusterIP';
    for (const port of Array.isArray(spec['ports']) ? spec['ports'] : []) {
      port.protocol ??= 'TCP';
      port.targetPort ??= port.port;
    }
  },
  HTTPRoute(object) {
    const spec = specOf(object);
    spec['rules'] ??= [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }];
    for (const rule of Array.isArray(spec['rules']) ? spec['rules'] : []) {
      rule.matches ??= [{ path: { type: 'PathPrefix', value: '/' } }];
      for (const backend of rule.backendRefs ?? []) {
        backend.group ??= '';
        backend.kind ??= 'Service';
        backend.weight ??= 1;
        if (!Number.isInteger(backend.weight) || backend.weight < 0 || backend.weight > 1_000_000) {
          throw invalid(
            object.kind,
            object.metadata.name,
            'spec.rules.backendRefs.weight',
            'must be between 0 and 1000000',
          );
        }
      }
    }
  },
};

function strategy(given: unknown): object {
  const type = isFields(given) ? (given['type'] ?? 'RollingUpdate') : 'RollingUpdate';
  if (type === 'Recreate') return { type };
  const rolling = isFields(given) && isFields(given['rollingUpdate']) ? given['rollingUpdate'] : {};
  return { type, rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%', ...rolling } };
}

function templateOf(object: KubeObject, template: unknown): PodTemplate {
  if (!isFields(template)) {
    throw invalid(object.kind, object.metadata.name, 'spec.template', 'Required value');
  }
  const metadata = isFields(template['metadata']) ? template['metadata'] : {};
  delete metadata['creationTimestamp'];
  template['metadata'] = metadata;
  podSpec(object, template['spec']);
  return template as PodTemplate;
}

function podSpec(object: KubeObject, spec: unknown): void {
  const containers = isFields(spec) && Array.isArray(spec['containers']) ? spec['containers'] : [];
  if (!isFields(spec) || containers.length === 0) {
    throw invalid(object.kind, object.metadata.name, 'spec.template.spec.containers', 'Required value');
  }
  spec['restartPolicy'] ??= 'Always';
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['schedulerName'] ??= 'default-scheduler';
  for (const container of containers) containerDefaults(object, container);
}

function containerDefaults(object: KubeObject, container: Container): void {
  if (!container.name || !container.image) {
    throw invalid(
      object.kind,
      object.metadata.name,
      'spec.template.spec.containers',
      'name and image are required',
    );
  }
  container['imagePullPolicy'] ??= container.image.includes('@') ? 'IfNotPresent' : 'Always';
  container['terminationMessagePath'] ??= '/dev/termination-log';
  container['terminationMessagePolicy'] ??= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
}

function specOf(object: KubeObject): Record<string, unknown> {
  if (isFields(object.spec)) return object.spec;
  throw invalid(object.kind, object.metadata.name, 'spec', 'Required value');
}

function requireCount(object: KubeObject, field: string): void {
  const value = specOf(object)[field];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return;
  throw invalid(
    object.kind,
    object.metadata.name,
    `spec.${field}`,
    'must be greater than or equal to 0',
    value,
  );
}

function invalid(kind: string, name: string, field: string, problem: string, value?: unknown): KubeError {
  const said = value === undefined ? problem : `Invalid value: ${JSON.stringify(value)}: ${problem}`;
  return new KubeError('Invalid', `${kind} "${name}" is invalid: ${field}: ${said}`, {
    name,
    kind,
    causes: [{ reason: 'FieldValueInvalid', message: said, field }],
  });
}

const ARCHITECTURE_LABEL = 'kubernetes.io/arch';

/** GKE lets a pod that asks for arm64 by nodeSelector onto the tainted ARM nodes by itself. */
export function withArmToleration(spec: PodSpec): PodSpec {
  if (spec.nodeSelector?.[ARCHITECTURE_LABEL] !== 'arm64') return spec;
  const tolerations: Toleration[] = spec.tolerations ?? [];
  if (tolerations.some(one => one.key === ARCHITECTURE_LABEL)) return spec;
  const added: Toleration = {
    key: ARCHITECTURE_LABEL,
    operator: 'Equal',
    value: 'arm64',
    effect: 'NoSchedule',
  };
  return { ...spec, tolerations: [...tolerations, added] };
}
