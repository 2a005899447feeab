import { ApiError } from '../http.ts';
import { isLatest, trafficInForce } from './traffic.ts';
import { parseServiceBody, type RevisionTemplate, type ServiceBody, type TrafficTarget } from './wire.ts';

const LOWER_CASE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
/** Tag and service name form one DNS label together with `---` and the service's hash. */
const TAG_AND_SERVICE_LIMIT = 46;
const RESERVED_ANNOTATIONS = [
  'run.googleapis.com/',
  'cloud.googleapis.com/',
  'serving.knative.dev/',
  'autoscaling.knative.dev/',
];

export function violation(field: string, description: string): ApiError {
  return new ApiError('INVALID_ARGUMENT', `${field}: ${description}`, [
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field, description }] },
  ]);
}

export function parseService(json: unknown): ServiceBody {
  const parsed = parseServiceBody(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw violation(`service.${issue?.path.join('.') ?? ''}`, issue?.message ?? 'invalid');
}

export function validateServiceId(service: string): void {
  if (LOWER_CASE_NAME.test(service) && service.length < 50) return;
  throw violation(
    'Violation in CreateServiceRequest.service_id',
    'only lowercase, digits, and hyphens; must begin with letter, and cannot end with hyphen; must be less than 50 characters.',
  );
}

/** Labels and annotations that belong to the platform are set by the fields of this API. */
export function validateMetadata(body: Pick<ServiceBody, 'annotations' | 'labels'>): void {
  for (const [field, keys] of [
    ['annotations', body.annotations],
    ['labels', body.labels],
  ] as const) {
    const reserved = Object.keys(keys ?? {}).find(key =>
      RESERVED_ANNOTATIONS.some(prefix => key.startsWith(prefix)),
    );
    if (reserved) {
      throw violation(field, `'${reserved}' uses a namespace that is reserved by the system.`);
    }
  }
}

export function validateTemplate(service: string, template: RevisionTemplate | undefined): RevisionTemplate {
  if (!template || template.containers.length === 0) {
    throw violation('template.containers', 'Revision template should contain at least one container.');
  }
  const withPorts = template.containers.filter(container => container.ports?.length);
  if (template.containers.length > 1 && withPorts.length !== 1) {
    throw violation(
      'template.containers',
      `Revision template should contain exactly one container with an exposed port, but contains ${withPorts.length}.`,
    );
  }
  if (template.revision) validateRevisionName(service, template.revision);
  return template;
}

function validateRevisionName(service: string, revision: string): void {
  const field = 'template.revision';
  if (!revision.startsWith(`${service}-`)) {
    throw violation(
      field,
      `Revision name '${revision}' must be prefixed by the name of the enclosing Service or Configuration with a trailing -`,
    );
  }
  if (LOWER_CASE_NAME.test(revision) && revision.length < 64) return;
  throw violation(
    field,
    `Revision name '${revision}' must use only lowercase letters, numbers and '-'. Must begin with a letter and cannot end with a '-'. Maximum length is 63 characters.`,
  );
}

/** `exists` tells whether a revision exists or is made by the same request. */
export function validateTraffic(
  service: string,
  traffic: readonly TrafficTarget[] | undefined,
  exists: (revision: string) => boolean,
): void {
  const targets = trafficInForce(traffic);
  const sum = targets.reduce((total, { percent = 0 }) => total + percent, 0);
  if (sum !== 100) throw violation('spec.traffic', `Traffic targets sum to ${sum}, want 100.`);
  const tags = new Set<string>();
  for (const target of targets) {
    validateTarget(target, exists);
    if (!target.tag) continue;
    validateTag(service, target.tag);
    if (tags.has(target.tag)) {
      throw violation('spec.traffic.tag', `multiple traffic targets use the tag '${target.tag}'.`);
    }
    tags.add(target.tag);
  }
}

function validateTarget(target: TrafficTarget, exists: (revision: string) => boolean): void {
  if (isLatest(target)) {
    if (target.revision) {
      throw violation('spec.traffic.revision_name', 'must be empty for a target of type LATEST.');
    }
    return;
  }
  if (!target.revision) {
    throw violation('spec.traffic.revision_name', 'must not be empty for a target of type REVISION.');
  }
  if (!exists(target.revision)) {
    throw violation(
      'spec.traffic.revision_name',
      `Revision '${target.revision}' does not exist or is deleted`,
    );
  }
}

function validateTag(service: string, tag: string): void {
  const field = 'spec.traffic.tag';
  if (!LOWER_CASE_NAME.test(tag)) {
    throw violation(
      field,
      `traffic tag '${tag}' must use only lowercase letters, numbers and '-', begin with a letter and not end with a '-'.`,
    );
  }
  if (tag.length + service.length > TAG_AND_SERVICE_LIMIT) {
    throw violation(
      field,
      `traffic tag '${tag}' and service name '${service}' together are too long. Combined traffic tag and service name cannot exceed ${TAG_AND_SERVICE_LIMIT} characters.`,
    );
  }
}
