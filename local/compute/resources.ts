import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ComputeError } from './errors.ts';

/** `projects/P/global/backendServices/B`: what stays of a resource's URL without host and version. */
export type ResourcePath = string;

const BASE_URL = 'https://www.googleapis.com/compute/v1';

const name = z
  .string()
  .regex(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be 1 to 63 lowercase letters, digits and hyphens');

const backend = z.looseObject({ group: z.string() });

export const backendServiceSchema = z.looseObject({
  name,
  backends: z.array(backend).default([]),
  healthChecks: z.array(z.string()).max(0, 'serverless NEG backends take no health checks').optional(),
  loadBalancingScheme: z.string().default('EXTERNAL'),
  protocol: z.string().default('HTTP'),
});

export type BackendServiceFields = z.output<typeof backendServiceSchema>;

export const networkEndpointGroupSchema = z.looseObject({
  name,
  networkEndpointType: z.literal('SERVERLESS', 'the local Compute API has serverless NEGs only'),
  cloudRun: z.looseObject({ service: z.string(), tag: z.string().optional() }),
});

export type NetworkEndpointGroupFields = z.output<typeof networkEndpointGroupSchema>;

/** What the service adds to a resource. */
export interface Stored<T> {
  readonly path: ResourcePath;
  readonly id: string;
  readonly createdMs: number;
  readonly fields: T;
}

export function selfLink(path: ResourcePath): string {
  return `${BASE_URL}/${path}`;
}

/** Accepts a full URL on any host, and the part from `projects/` on. */
export function pathOf(url: string): ResourcePath {
  const path = /(?:^|\/)(projects\/.+)$/.exec(url)?.[1];
  if (path !== undefined) return path;
  throw new ComputeError(
    'invalid',
    `Invalid value for field 'group': '${url}'. The URL is malformed: expected projects/PROJECT/regions/REGION/networkEndpointGroups/NAME, with or without ${BASE_URL}/.`,
  );
}

/** A hash of the contents, as the real one: a resource that is changed and changed back has its old fingerprint again. */
export function fingerprintOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest().subarray(0, 8).toString('base64');
}

export function checkFields<S extends z.ZodType>(value: unknown, schema: S): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new ComputeError('invalid', `Invalid value for field 'resource.${field}': ${issue?.message}.`);
}
