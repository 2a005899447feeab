import type { protos, v2 } from '@google-cloud/run';
import { type ErrorCode, SlipwayError } from '../errors.ts';
import { calling } from '../google/errors.ts';
import { inWords } from './cloud-run-conditions.ts';

type IService = protos.google.cloud.run.v2.IService;
type IRevision = protos.google.cloud.run.v2.IRevision;
type IContainer = protos.google.cloud.run.v2.IContainer;

export interface CloudRunSpec {
  readonly project: string;
  readonly region: string;
  readonly service: string;
  /** Repository that rolls out here. With it, a service that serves only other images counts as a placeholder: it has no stable. */
  readonly image?: string | undefined;
}

export interface CloudRunContext {
  services(): Promise<v2.ServicesClient>;
  revisions(): Promise<v2.RevisionsClient>;
  readonly fetch?: typeof fetch;
  /** OIDC token for a service that asks its callers for one; undefined where none is needed. */
  readonly idToken?: (audience: string) => Promise<string | undefined>;
}

/** No retries inside: together with the fence a call stays below 30 s, and whoever called repeats it. */
const READ = { timeout: 8_000, retry: null };
const WRITE = { timeout: 15_000, retry: null };

/** The four calls of the Admin API that a target needs. What does not exist is undefined, everything else that is wrong throws. */
export interface Api {
  readonly spec: CloudRunSpec;
  /** For messages: `hello in us-east4`. */
  readonly name: string;
  service(): Promise<IService | undefined>;
  revision(name: string): Promise<IRevision | undefined>;
  /** False when the service exists by now. */
  create(service: IService): Promise<boolean>;
  update(service: IService, paths: readonly string[]): Promise<void>;
}

/** Writes start an operation and do not wait for it: what became of it shows in the service. */
export function adminApi(spec: CloudRunSpec, context: CloudRunContext): Api {
  const parent = `projects/${spec.project}/locations/${spec.region}`;
  const name = `${parent}/services/${spec.service}`;
  const label = `${spec.service} in ${spec.region}`;
  return {
    spec,
    name: label,
    service: () =>
      unless('NotFound', `run.services.get ${label}`, async () => {
        const client = await context.services();
        const [service] = await client.getService({ name }, READ);
        return service;
      }),
    revision: revision =>
      unless('NotFound', `run.revisions.get ${revision} in ${spec.region}`, async () => {
        const client = await context.revisions();
        const [found] = await client.getRevision({ name: `${name}/revisions/${revision}` }, READ);
        return found;
      }),
    create: async service => {
      const created = await unless('AlreadyExists', `run.services.create ${label}`, async () => {
        const client = await context.services();
        return client.createService({ parent, serviceId: spec.service, service }, WRITE);
      });
      return created !== undefined;
    },
    update: (service, paths) =>
      calling(`run.services.update ${label}`, async () => {
        const client = await context.services();
        await client.updateService(
          { service: { ...service, name }, updateMask: { paths: [...paths] } },
          WRITE,
        );
      }),
  };
}

/** Runs a call and gives undefined for the one error that is an answer. */
async function unless<T>(code: ErrorCode, operation: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await calling(operation, call);
  } catch (error) {
    if (error instanceof SlipwayError && error.code === code) return undefined;
    throw error;
  }
}

/** While this holds, what the service reports may be of an earlier change. A failure leaves the observed generation behind. */
export function isMoving(service: IService): boolean {
  if (service.reconciling) return true;
  if (service.terminalCondition?.state === 'CONDITION_FAILED') return false;
  return String(service.generation) !== String(service.observedGeneration);
}

export function terminalWords(service: IService): string {
  return service.terminalCondition ? inWords(service.terminalCondition) : 'Cloud Run gives no reason';
}

/** The container that the image belongs into: of several the one that has it already, else the one that gets the requests. */
export function mainContainer(
  containers: readonly IContainer[],
  image: string | undefined,
): IContainer | undefined {
  return (
    containers.find(container => image !== undefined && repositoryOf(container.image) === image) ??
    containers.find(container => container.ports?.length) ??
    containers[0]
  );
}

export function digestOf(image: string | null | undefined): string | undefined {
  return image?.split('@')[1];
}

/** Without tag and digest. The host may have a port. */
export function repositoryOf(image: string | null | undefined): string | undefined {
  return image?.split('@')[0]?.replace(/:[^/:]*$/, '');
}
