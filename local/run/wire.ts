import { z } from 'zod';

/**
 * Resources of the Cloud Run Admin API v2 as JSON. Settings that the local Cloud Run does not act on are kept as they
 * are. Requests may name an enum by its number, answers always have the name.
 */
const ALLOCATION_TYPES = [
  'TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED',
  'TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST',
  'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION',
] as const;

const INGRESS = [
  'INGRESS_TRAFFIC_UNSPECIFIED',
  'INGRESS_TRAFFIC_ALL',
  'INGRESS_TRAFFIC_INTERNAL_ONLY',
  'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER',
  'INGRESS_TRAFFIC_NONE',
] as const;

const LAUNCH_STAGES = [
  'LAUNCH_STAGE_UNSPECIFIED',
  'EARLY_ACCESS',
  'ALPHA',
  'BETA',
  'GA',
  'DEPRECATED',
  'UNIMPLEMENTED',
  'PRELAUNCH',
] as const;

const EXECUTION_ENVIRONMENTS = [
  'EXECUTION_ENVIRONMENT_UNSPECIFIED',
  'EXECUTION_ENVIRONMENT_GEN1',
  'EXECUTION_ENVIRONMENT_GEN2',
] as const;

const SCALING_MODES = ['SCALING_MODE_UNSPECIFIED', 'AUTOMATIC', 'MANUAL'] as const;

const strings = z.record(z.string(), z.string());

const trafficTarget = z.object({
  type: enumOf(ALLOCATION_TYPES).optional(),
  revision: z.string().optional(),
  percent: z.number().int().min(0).max(100).optional(),
  tag: z.string().optional(),
});

const container = z.looseObject({
  name: z.string().optional(),
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).optional(),
  ports: z
    .array(z.looseObject({ name: z.string().optional(), containerPort: z.number().optional() }))
    .optional(),
});

const revisionTemplate = z.looseObject({
  revision: z.string().optional(),
  labels: strings.optional(),
  annotations: strings.optional(),
  executionEnvironment: enumOf(EXECUTION_ENVIRONMENTS).optional(),
  containers: z.array(container),
});

const serviceScaling = z.looseObject({ scalingMode: enumOf(SCALING_MODES).optional() });

/** The settings of a service, by field; what is not here is output only. */
const settings = {
  description: z.string().optional(),
  labels: strings.optional(),
  annotations: strings.optional(),
  client: z.string().optional(),
  clientVersion: z.string().optional(),
  ingress: enumOf(INGRESS).optional(),
  launchStage: enumOf(LAUNCH_STAGES).optional(),
  binaryAuthorization: z.looseObject({}).optional(),
  template: revisionTemplate.optional(),
  traffic: z.array(trafficTarget).optional(),
  scaling: serviceScaling.optional(),
  invokerIamDisabled: z.boolean().optional(),
  defaultUriDisabled: z.boolean().optional(),
  iapEnabled: z.boolean().optional(),
  multiRegionSettings: z.looseObject({}).optional(),
  customAudiences: z.array(z.string()).optional(),
  buildConfig: z.looseObject({}).optional(),
};

export const SETTING_NAMES: readonly string[] = Object.keys(settings);

const serviceBody = z.object({ name: z.string().optional(), etag: z.string().optional(), ...settings });

export type TrafficTarget = z.infer<typeof trafficTarget>;
export type Container = z.infer<typeof container>;
export type RevisionTemplate = z.infer<typeof revisionTemplate>;
/** A service as a client sends it. */
export type ServiceBody = z.infer<typeof serviceBody>;
export type ServiceSettings = Omit<ServiceBody, 'name' | 'etag'>;

export interface TrafficTargetStatus extends TrafficTarget {
  readonly uri?: string | undefined;
}

export type ConditionState =
  | 'CONDITION_PENDING'
  | 'CONDITION_RECONCILING'
  | 'CONDITION_FAILED'
  | 'CONDITION_SUCCEEDED';

export interface Condition {
  readonly type: string;
  readonly state: ConditionState;
  readonly message?: string | undefined;
  readonly lastTransitionTime: string;
  readonly severity?: 'ERROR' | 'WARNING' | 'INFO' | undefined;
  readonly reason?: string | undefined;
  readonly revisionReason?: string | undefined;
}

export interface ServiceResource extends ServiceSettings {
  readonly name: string;
  readonly uid: string;
  readonly generation: string;
  readonly observedGeneration: string;
  readonly createTime: string;
  readonly updateTime: string;
  readonly creator: string;
  readonly lastModifier: string;
  readonly terminalCondition: Condition;
  readonly conditions: readonly Condition[];
  readonly latestReadyRevision?: string | undefined;
  readonly latestCreatedRevision?: string | undefined;
  readonly trafficStatuses: readonly TrafficTargetStatus[];
  readonly uri: string;
  readonly urls: readonly string[];
  readonly reconciling: boolean;
  readonly etag: string;
}

export interface RevisionResource {
  readonly name: string;
  readonly uid: string;
  readonly generation: string;
  readonly observedGeneration: string;
  readonly service: string;
  readonly createTime: string;
  readonly updateTime: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly containers: readonly Container[];
  readonly conditions: readonly Condition[];
  readonly reconciling: boolean;
  readonly logUri: string;
  readonly etag: string;
  readonly [setting: string]: unknown;
}

/** Parses what a client sent. Unset fields that a client spells out as null are left out. */
export function parseServiceBody(json: unknown): z.ZodSafeParseResult<ServiceBody> {
  return serviceBody.safeParse(withoutNulls(json));
}

/** Accepts an enum by name or by number and gives its name. */
function enumOf<const Names extends readonly string[]>(names: Names) {
  const byName = z.enum(names);
  return z.preprocess(value => (typeof value === 'number' ? (names[value] ?? value) : value), byName);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (inner === null ? [] : [[key, withoutNulls(inner)]])),
  );
}
