import semver from 'semver';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { globMatches } from './globs.ts';
import { type Destination, notificationSchema } from './notifications.ts';
import { contradictions, repeats } from './policy-checks.ts';
import { duration, name, text } from './policy-fields.ts';
import { type Issue, issues, locate, type Problem } from './policy-problems.ts';

/** What `rollouts.yaml` says, checked and with every default filled in. Durations are seconds, percentages 0 to 100. */
export interface Policy {
  readonly services: readonly Service[];
  readonly notifications: readonly Destination[];
}

export type Service = z.output<typeof serviceSchema>;
export type TargetSpec = Service['targets'][number];
export type Step = Service['strategy']['steps'][number];
export type JudgeRules = Exclude<Service['judge'], 'off'>;
export type TagPattern = Service['tags'][number];
export type Window = Service['windows'][number];
export type VerifyRules = Service['verify'];

export type PolicyResult =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const image = z
  .string()
  .regex(
    /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/,
    'expected a repository without tag or digest, such as us-central1-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE',
  )
  .meta({ description: 'The repository that is rolled out, without tag or digest.' });

const tag = z
  .union(
    [
      text,
      z.strictObject({ semver: z.string().refine(isRange, 'expected a version range such as ">=1.2 <2"') }),
    ],
    'expected a glob such as "v*", or {semver: ">=1.2 <2"}',
  )
  .meta({ description: 'Pushed tags that roll out: a glob, or a range of semantic versions.' });

function isRange(range: string): boolean {
  return semver.validRange(range) !== null;
}

const SEVERITIES = ['minimal', 'low', 'medium', 'high', 'critical'] as const;

const publicKey = z
  .string()
  .regex(
    /^\s*-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----\s*$/,
    'expected a public key in PEM, -----BEGIN PUBLIC KEY-----',
  );

const platform = z
  .string()
  .regex(/^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/, 'expected OS/ARCHITECTURE, such as linux/arm64');

const cloudRun = z
  .strictObject({ project: text, region: text, service: name })
  .meta({ description: 'A Cloud Run service in one region.' });

const promQl = text
  .refine(query => query.includes('$deployment'), 'expected PromQL that asks for $deployment')
  .refine(query => query.includes('$interval'), 'expected PromQL that counts over [$interval]');

const prometheus = z
  .strictObject({
    requests: promQl.meta({ description: 'PromQL: requests in $interval of the Deployment $deployment.' }),
    bad: promQl.meta({ description: 'PromQL: those of them that went wrong.' }),
  })
  .meta({
    description:
      'Managed Prometheus counts the requests instead of the load balancer. $deployment becomes the name of the stable or the canary Deployment, $interval a duration.',
  });

const gke = z
  .strictObject({
    cluster: z
      .string()
      .regex(
        /^projects\/[^/]+\/locations\/[^/]+\/clusters\/[^/]+$/,
        'expected projects/P/locations/L/clusters/C',
      ),
    namespace: name.default('default'),
    deployment: name,
    container: name,
    httpRoute: name.optional(),
    prometheus: prometheus.optional(),
    nodePool: name.optional().meta({ description: 'The ARM node pool; leave it out on Autopilot.' }),
  })
  .meta({ description: 'A Deployment in one GKE cluster.' });

const target = z
  .strictObject({ name, cloudRun: cloudRun.optional(), gke: gke.optional() })
  .refine(
    spec => (spec.cloudRun === undefined) !== (spec.gke === undefined),
    'expected either cloudRun or gke',
  );

const weight = z
  .int('expected a whole number from 1 to 100')
  .min(1, 'expected a whole number from 1 to 100')
  .max(100, 'expected a whole number from 1 to 100');

const step = z.union(
  [
    z.strictObject({ setWeight: weight }),
    z.strictObject({ pause: z.strictObject({ duration: duration.optional() }) }),
  ],
  'expected {setWeight: 1…100}, {pause: {duration: 10m}} or {pause: {}}',
);

const strategy = z.strictObject({
  waves: z.array(z.array(name).min(1, 'expected at least one target')).min(1).optional(),
  steps: z.array(step).prefault([]),
  progressDeadline: duration.prefault('10m'),
  rollbackWindow: duration.prefault('1h'),
  onBusy: z.enum(['queue', 'supersede'], 'expected queue or supersede').default('queue'),
  onBurn: z
    .enum(['rollback', 'attribute'], 'expected rollback or attribute')
    .default('rollback')
    .meta({ description: 'attribute: freezes instead, when stable demonstrably burns as badly.' }),
});

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'expected a time of day from 00:00 to 24:00, such as 16:30');

const window = z
  .strictObject({
    days: z
      .array(z.enum(DAYS, `expected ${DAYS.join(', ')}`))
      .min(1, 'expected at least one day')
      .default([...DAYS]),
    from: timeOfDay.default('00:00'),
    to: timeOfDay.default('24:00'),
    timeZone: z
      .string()
      .refine(isTimeZone, 'expected an IANA time zone, such as Europe/Zurich')
      .default('UTC'),
  })
  .meta({
    description:
      'A weekly time at which nothing starts or advances; rollback always may. With `to` not after `from` it ends on the next day.',
  });

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

const judge = z.union(
  [
    z.literal('off'),
    z.strictObject({
      interval: duration
        .prefault('60s')
        .meta({ description: 'How often a waiting rollout looks at the metrics.' }),
      minRequests: z.int().min(1).default(20),
      margin: z.number().min(0).max(100).default(1).meta({ description: 'Percentage points.' }),
      maxBurn: z.number().positive().default(10),
      maxExtension: duration.prefault('30m'),
    }),
  ],
  'expected off, or {interval, minRequests, margin, maxBurn, maxExtension}',
);

const slo = z.strictObject({
  availability: z.number().gt(0).lt(100, 'expected a percentage below 100, such as 99.5'),
  latency: z.strictObject({ threshold: duration, target: z.number().gt(0).lt(100) }).optional(),
});

const verify = z.strictObject({
  platforms: z.array(platform).min(1).default(['linux/amd64', 'linux/arm64']),
  binaries: z
    .boolean()
    .default(true)
    .meta({ description: 'What the container executes must be of the platform that it claims.' }),
  twins: z.enum(['report', 'strict'], 'expected report or strict').default('report').meta({
    description: 'The platforms of one index should be one build; strict refuses an image whose are not.',
  }),
  provenance: z
    .strictObject({
      builders: z.array(text).min(1, 'expected at least one builder id').meta({
        description: 'Ids of the builders that are trusted; one may end in *.',
      }),
    })
    .optional()
    .meta({ description: 'An in-toto attestation of where each platform was built.' }),
  signature: z
    .strictObject({ publicKeys: z.array(publicKey).min(1, 'expected at least one public key') })
    .optional()
    .meta({ description: 'A cosign signature by one of these keys (PEM).' }),
  vulnerabilities: z
    .strictObject({
      maxSeverity: z.enum(SEVERITIES, `expected ${SEVERITIES.join(', ')}`).meta({
        description: 'The worst severity that may be in the image, as Container Analysis found it.',
      }),
    })
    .optional(),
  binaryAuthorization: z
    .strictObject({
      attestors: z
        .array(z.string().regex(/^projects\/[^/]+\/attestors\/[^/]+$/, 'expected projects/P/attestors/A'))
        .min(1, 'expected at least one attestor'),
    })
    .optional()
    .meta({ description: 'All of these attestors must have attested the image.' }),
});

const serviceSchema = z
  .strictObject({
    name,
    image,
    tags: z.array(tag).min(1).default(['*']),
    verify: verify.prefault({}),
    targets: z.array(target).min(1, 'expected at least one target'),
    loadBalancer: z.strictObject({ project: text, backendService: name }).optional(),
    probe: z
      .strictObject({
        path: z.string().startsWith('/', 'expected a path such as /health'),
        expect: text.optional(),
      })
      .default({ path: '/' }),
    strategy: strategy.prefault({}),
    judge: judge.prefault({}),
    slo: slo.prefault({ availability: 99 }),
    windows: z.array(window).default([]),
    commandsTopic: text.default('rollout-commands').meta({
      description:
        'Commands for this service count only from this topic: who may publish there may give them.',
    }),
  })
  .transform(service => ({
    ...service,
    strategy: {
      ...service.strategy,
      waves: service.strategy.waves ?? [service.targets.map(({ name }) => name)],
    },
  }));

export const policySchema = z.strictObject({
  services: z.array(serviceSchema),
  notifications: z.array(notificationSchema).default([]),
});

const list = z.array(z.unknown(), 'expected a list');
const outerSchema = z.strictObject({ services: list, notifications: list.default([]) });

/**
 * Reads a policy in three stages: YAML, the shape and values of each field, and what fields say about each other. All
 * problems of a stage are reported together; the third runs for every service that passed the second.
 */
export function parsePolicy(source: string, file: string): PolicyResult {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  if (document.errors.length > 0) {
    return { ok: false, problems: document.errors.map(error => yamlProblem(file, error)) };
  }
  const at = (issue: Issue) => locate({ document, lines, file }, ...issue);

  const json = toJson(document);
  if (!json.ok) return { ok: false, problems: [at([[], json.problem])] };
  const outer = outerSchema.safeParse(json.value ?? {});
  if (!outer.success) return { ok: false, problems: inReadingOrder(issues([], outer.error).map(at)) };
  const services = readEach('services', outer.data.services, serviceSchema, contradictions);
  const notifications = readEach('notifications', outer.data.notifications, notificationSchema, () => []);
  const found = [...services.found, ...notifications.found];
  return found.length > 0
    ? { ok: false, problems: inReadingOrder(found.map(at)) }
    : { ok: true, policy: { services: services.read, notifications: notifications.read } };
}

/** Each entry of a list by itself, so that what is wrong with one hides nothing about the others. */
function readEach<T extends { readonly name: string }>(
  key: 'services' | 'notifications',
  listed: readonly unknown[],
  schema: z.ZodType<T>,
  check: (entry: T) => readonly Issue[],
): { read: T[]; found: Issue[] } {
  const found: Issue[] = [];
  const parsed = listed.flatMap((raw, index) => {
    const one = schema.safeParse(raw);
    if (one.success) return [{ index, entry: one.data }];
    found.push(...issues([key, index], one.error));
    return [];
  });
  for (const { index, entry } of parsed) {
    found.push(...check(entry).map(([path, ...said]): Issue => [[key, index, ...path], ...said]));
  }
  const read = parsed.map(({ entry }) => entry);
  for (const repeated of repeats(read.map(entry => entry.name))) {
    const what = key === 'services' ? 'service' : 'destination';
    found.push([
      [key, parsed[repeated]?.index ?? repeated, 'name'],
      `expected a name that no other ${what} has`,
    ]);
  }
  return { read, found };
}

/** Aliases that unfold to far more than stands in the file are refused by the parser. */
function toJson(document: Document): { ok: true; value: unknown } | { ok: false; problem: string } {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 1000 }) };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message : String(error) };
  }
}

function yamlProblem(
  file: string,
  error: { message: string; linePos?: readonly { line: number; col: number }[] },
): Problem {
  const [start] = error.linePos ?? [];
  const message = error.message.split('\n', 1)[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
  return { file, line: start?.line ?? 1, column: start?.col ?? 1, path: '', message };
}

function inReadingOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** Whether a pushed tag is one that the service rolls out. */
export function tagMatches(patterns: readonly TagPattern[], pushedTag: string): boolean {
  return patterns.some(pattern =>
    typeof pattern === 'string' ? globMatches(pattern, pushedTag) : rangeMatches(pattern.semver, pushedTag),
  );
}

function rangeMatches(range: string, pushedTag: string): boolean {
  const version = semver.parse(pushedTag, { loose: true });
  return version !== null && semver.satisfies(version, range);
}
