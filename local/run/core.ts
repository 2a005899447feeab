import type { Clock } from '../clock.ts';
import type { Backend, DataPlane } from '../dataplane/dataplane.ts';
import { ApiError } from '../http.ts';
import type { Refusal } from './conditions.ts';
import { applyMask } from './mask.ts';
import { locationName, revisionName, type ServiceKey, serviceName } from './names.ts';
import {
  Operation,
  type OperationResource,
  Operations,
  REVISION_TYPE,
  SERVICE_TYPE,
  type Status,
} from './operations.ts';
import type { Revision } from './revision.ts';
import { Service } from './service.ts';
import { routedRevisions, sharesByRevision } from './traffic.ts';
import { parseService, validateServiceId } from './validation.ts';
import type { RevisionResource, ServiceResource } from './wire.ts';

export interface CloudRunOptions {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Address of a service; the local cloud serves it on a front of its own. */
  readonly serviceUrl: (project: string, region: string, service: string) => string;
  /** Address of the revision behind a tag. */
  readonly tagUrl: (project: string, region: string, service: string, tag: string) => string;
  /** From the moment that all revisions can serve to the moment that requests follow, in milliseconds. */
  readonly routeMs?: number;
  /** Longest time between the start of a container and its listening, in milliseconds. */
  readonly startupTimeoutMs?: number;
  /** From the moment that a revision gets no new requests to the stop of its instance, in milliseconds. */
  readonly drainMs?: number;
  /** Pause before a container that ended by itself is started again, in milliseconds. */
  readonly restartMs?: number;
}

export interface UpdateOptions {
  readonly mask?: readonly string[] | undefined;
  readonly validateOnly?: boolean;
  readonly allowMissing?: boolean;
}

/** Cloud Run Admin API v2 without its transport: services of all projects and regions. */
export class CloudRun {
  readonly operations: Operations;
  /** Refuses images as Binary Authorization or a missing permission does; by default none. */
  admit: (image: string, key: ServiceKey) => Refusal | undefined = () => undefined;
  readonly #options: CloudRunOptions;
  readonly #services = new Map<string, Service>();
  #nextOperationError: Status | undefined;

  constructor(options: CloudRunOptions) {
    this.#options = options;
    this.operations = new Operations(options.clock);
  }

  createService(key: ServiceKey, json: unknown, options: { validateOnly?: boolean } = {}): OperationResource {
    validateServiceId(key.service);
    if (this.#services.has(serviceName(key))) {
      throw new ApiError('ALREADY_EXISTS', `Resource '${key.service}' already exists.`);
    }
    const { name: _, etag: __, ...settings } = parseService(json);
    const service = new Service(key, this.#environment(key));
    const plan = service.plan(settings);
    if (options.validateOnly) return validated(key, { ...service.resource(), ...plan.settings });
    this.#services.set(serviceName(key), service);
    return this.#commit(service, plan);
  }

  updateService(key: ServiceKey, json: unknown, options: UpdateOptions = {}): OperationResource {
    const body = parseService(json);
    const service = this.#services.get(serviceName(key));
    if (!service && options.allowMissing) {
      return this.createService(key, json, { validateOnly: options.validateOnly ?? false });
    }
    const existing = service ?? this.#find(key);
    checkEtag(key.service, body.etag, existing.etag);
    const plan = existing.plan(applyMask(existing.settings, body, options.mask));
    if (options.validateOnly) return validated(key, { ...existing.resource(), ...plan.settings });
    return this.#commit(existing, plan);
  }

  getService(key: ServiceKey): ServiceResource {
    return this.#find(key).resource();
  }

  listServices(project: string, region: string): readonly ServiceResource[] {
    return this.#servicesAt(project, region).map(service => service.resource());
  }

  deleteService(
    key: ServiceKey,
    options: { etag?: string | undefined; validateOnly?: boolean } = {},
  ): OperationResource {
    const service = this.#find(key);
    checkEtag(key.service, options.etag, service.etag);
    const resource = {
      ...service.resource(),
      deleteTime: new Date(this.#options.clock.nowMs()).toISOString(),
    };
    if (options.validateOnly) return validated(key, resource);
    const operation = this.operations.start(key, SERVICE_TYPE, () => resource);
    this.#services.delete(serviceName(key));
    service.remove().finally(() => operation.finish());
    return operation.resource();
  }

  getRevision(key: ServiceKey, revision: string): RevisionResource {
    return this.#findRevision(key, revision).resource();
  }

  /** Newest first. `service` may be `-` for all services of the location. */
  listRevisions(key: ServiceKey): readonly RevisionResource[] {
    const services = key.service === '-' ? this.#servicesAt(key.project, key.region) : [this.#find(key)];
    return services.flatMap(service =>
      [...service.revisions.values()].map(revision => revision.resource()).toReversed(),
    );
  }

  deleteRevision(
    key: ServiceKey,
    revision: string,
    options: { validateOnly?: boolean } = {},
  ): OperationResource {
    const service = this.#find(key);
    const resource = this.#findRevision(key, revision).resource();
    if (routedRevisions(service.statuses).has(revision)) {
      throw new ApiError(
        'FAILED_PRECONDITION',
        `Revision '${revision}' cannot be deleted: it gets traffic or has a tag.`,
      );
    }
    if (options.validateOnly) return validated(key, resource);
    const operation = this.operations.start(key, REVISION_TYPE, () => resource);
    service.removeRevision(revision).finally(() => operation.finish());
    return operation.resource();
  }

  /** Where a request to a service, or to one of its tags, may go now. */
  backendsOf(project: string, region: string, service: string, tag?: string): readonly Backend[] {
    const key = { project, region, service };
    const found = this.#services.get(serviceName(key));
    if (!found) return [];
    const tagged = found.statuses.find(status => tag !== undefined && status.tag === tag)?.revision;
    const shares =
      tag === undefined ? sharesByRevision(found.statuses) : new Map(tagged ? [[tagged, 100]] : []);
    return [...shares].map(([revision, weight]) => {
      const url = found.revisions.get(revision)?.url;
      return { by: { kind: 'cloudRun', ...key, revision }, weight, urls: url ? [url] : [] };
    });
  }

  /** The operation of the next change ends with this error although the change is made. */
  failNextOperation(error: Status): void {
    this.#nextOperationError = error;
  }

  /** Stops all instances; resolves when their processes are gone. */
  async close(): Promise<void> {
    const services = [...this.#services.values()];
    this.#services.clear();
    await Promise.all(services.map(service => service.remove()));
  }

  #commit(service: Service, plan: ReturnType<Service['plan']>): OperationResource {
    const operation = this.operations.start(service.key, SERVICE_TYPE, () => service.resource());
    const error = this.#nextOperationError;
    this.#nextOperationError = undefined;
    service.commit(plan, operation, error);
    return operation.resource();
  }

  #environment(key: ServiceKey) {
    const { clock, dataPlane, serviceUrl, tagUrl } = this.#options;
    const { routeMs = 200, startupTimeoutMs = 240_000, drainMs = 2_000, restartMs = 1_000 } = this.#options;
    const { project, region, service } = key;
    return {
      ...{ clock, dataPlane, routeMs, startupTimeoutMs, drainMs, restartMs },
      admit: (image: string) => this.admit(image, key),
      url: serviceUrl(project, region, service),
      tagUrl: (tag: string) => tagUrl(project, region, service, tag),
    };
  }

  #servicesAt(project: string, region: string): readonly Service[] {
    return [...this.#services.values()].filter(({ key }) => key.project === project && key.region === region);
  }

  #find(key: ServiceKey): Service {
    const service = this.#services.get(serviceName(key));
    if (!service)
      throw new ApiError(
        'NOT_FOUND',
        `Resource '${key.service}' of kind 'SERVICE' in region '${key.region}' in project '${key.project}' does not exist.`,
      );
    return service;
  }

  #findRevision(key: ServiceKey, name: string): Revision {
    const revision = this.#find(key).revisions.get(name);
    if (!revision) throw new ApiError('NOT_FOUND', `Resource '${revisionName(key, name)}' does not exist.`);
    return revision;
  }
}

/** The answer to a request with `validate_only`: an operation that is done and cannot be asked for again. */
function validated(key: ServiceKey, resource: object): OperationResource {
  const operation = new Operation(
    `${locationName(key)}/operations/validate-only`,
    SERVICE_TYPE,
    () => resource,
  );
  operation.finish();
  return operation.resource();
}

function checkEtag(service: string, given: string | undefined, current: string): void {
  if (!given || given === current) return;
  throw new ApiError(
    'ABORTED',
    `Conflict for resource '${service}': version '${given}' was specified but current version is '${current}'.`,
  );
}
