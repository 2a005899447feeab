import type { Clock } from '../clock.ts';
import { ComputeError, resourceNotFound } from './errors.ts';
import { type Operation, Operations } from './operations.ts';
import {
  type BackendServiceFields,
  backendServiceSchema,
  checkFields,
  fingerprintOf,
  type NetworkEndpointGroupFields,
  networkEndpointGroupSchema,
  pathOf,
  type ResourcePath,
  type Stored,
} from './resources.ts';

export interface ComputeOptions {
  readonly clock: Clock;
  /** How long an operation takes, and a change to reach the load balancer. Default 0: done when it is answered. */
  readonly operationMs?: number;
}

/** One Cloud Run service behind a load balancer. */
export interface CloudRunBackend {
  readonly region: string;
  readonly service: string;
  /** Traffic tag, where the NEG names one. */
  readonly tag: string | undefined;
}

export type BackendService = Stored<BackendServiceFields>;
export type NetworkEndpointGroup = Stored<NetworkEndpointGroupFields>;

/** Global backend services and the serverless NEGs of regions: what a global load balancer needs before Cloud Run. */
export class ComputeCore {
  readonly operations: Operations;
  readonly #clock: Clock;
  readonly #backendServices = new Map<ResourcePath, BackendService>();
  readonly #groups = new Map<ResourcePath, NetworkEndpointGroup>();
  /** What the load balancer works with: the resource as of its last finished operation. */
  readonly #programmed = new Map<ResourcePath, BackendService>();
  #ids = 0;

  constructor({ clock, operationMs = 0 }: ComputeOptions) {
    this.#clock = clock;
    this.operations = new Operations(clock, operationMs);
  }

  insertNetworkEndpointGroup(project: string, region: string, body: unknown): Operation {
    const fields = checkFields(body, networkEndpointGroupSchema);
    const scope = `projects/${project}/regions/${region}`;
    const path = `${scope}/networkEndpointGroups/${fields.name}`;
    this.#groups.set(path, this.#newResource(this.#groups, path, fields));
    return this.operations.start(scope, 'insert', path, () => {});
  }

  getNetworkEndpointGroup(project: string, region: string, name: string): NetworkEndpointGroup {
    return find(this.#groups, `projects/${project}/regions/${region}/networkEndpointGroups/${name}`);
  }

  listNetworkEndpointGroups(project: string, region: string): NetworkEndpointGroup[] {
    const prefix = `projects/${project}/regions/${region}/`;
    return [...this.#groups.values()].filter(({ path }) => path.startsWith(prefix));
  }

  insertBackendService(project: string, body: unknown): Operation {
    const fields = checkFields(body, backendServiceSchema);
    const path = backendServicePath(project, fields.name);
    this.#checkBackends(fields);
    return this.#write(project, 'insert', this.#newResource(this.#backendServices, path, fields));
  }

  getBackendService(project: string, name: string): BackendService {
    return find(this.#backendServices, backendServicePath(project, name));
  }

  listBackendServices(project: string): BackendService[] {
    const prefix = backendServicePath(project, '');
    return [...this.#backendServices.values()].filter(({ path }) => path.startsWith(prefix));
  }

  /** `patch` replaces the fields it names, and must name the present fingerprint. */
  patchBackendService(project: string, name: string, patch: Readonly<Record<string, unknown>>): Operation {
    const current = this.getBackendService(project, name);
    const { fingerprint, ...changes } = patch;
    if (fingerprint !== fingerprintOf(current.fields)) {
      throw new ComputeError('conditionNotMet', 'Invalid fingerprint.');
    }
    const fields = checkFields({ ...current.fields, ...changes, name }, backendServiceSchema);
    this.#checkBackends(fields);
    return this.#write(project, 'patch', { ...current, fields });
  }

  /** The Cloud Run services that the load balancer sends requests of this backend service to. */
  backendsOf(project: string, backendService: string): CloudRunBackend[] {
    const { fields } = find(this.#programmed, backendServicePath(project, backendService));
    return fields.backends.flatMap(({ group }) => {
      const found = this.#groups.get(pathOf(group));
      if (!found) return [];
      const { service, tag } = found.fields.cloudRun;
      return [{ region: regionOf(found.path), service, tag }];
    });
  }

  stop(): void {
    this.operations.stop();
  }

  #write(project: string, type: Operation['type'], resource: BackendService): Operation {
    this.#backendServices.set(resource.path, resource);
    return this.operations.start(`projects/${project}/global`, type, resource.path, () =>
      this.#programmed.set(resource.path, resource),
    );
  }

  #newResource<T>(existing: ReadonlyMap<ResourcePath, Stored<T>>, path: ResourcePath, fields: T): Stored<T> {
    if (existing.has(path)) throw new ComputeError('alreadyExists', `The resource '${path}' already exists`);
    this.#ids++;
    return {
      path,
      fields,
      id: String(7_000_000_000_000_000_000n + BigInt(this.#ids)),
      createdMs: this.#clock.nowMs(),
    };
  }

  #checkBackends({ backends }: BackendServiceFields): void {
    const regions = new Set<string>();
    for (const { group } of backends) {
      const { path } = find(this.#groups, pathOf(group));
      const region = regionOf(path);
      if (regions.has(region)) {
        throw new ComputeError(
          'invalid',
          `Invalid value for field 'resource.backends': '${path}'. A backend service takes one serverless network endpoint group per region, and ${region} has two.`,
        );
      }
      regions.add(region);
    }
  }
}

function find<T>(resources: ReadonlyMap<ResourcePath, T>, path: ResourcePath): T {
  const resource = resources.get(path);
  if (resource === undefined) throw resourceNotFound(path);
  return resource;
}

function backendServicePath(project: string, name: string): ResourcePath {
  return `projects/${project}/global/backendServices/${name}`;
}

function regionOf(path: ResourcePath): string {
  return path.split('/')[3] ?? '';
}
