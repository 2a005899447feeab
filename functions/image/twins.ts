import type { ImageConfig } from './documents.ts';
import { harmless } from './reasons.ts';
import type { Difference } from './verdict.ts';

/** One platform of an index. */
export interface Twin {
  /** `linux/arm64` */
  readonly platform: string;
  readonly config: ImageConfig;
}

const REVISION = 'org.opencontainers.image.revision';
const NOTHING = 'none';
const MAX_VALUE_LENGTH = 500;

/** What platforms have in common when they are one build: nothing that depends on the processor. */
const COMMON: Readonly<Record<string, (config: ImageConfig) => string | undefined>> = {
  [`the source revision (label ${REVISION})`]: ({ config }) => config?.Labels?.[REVISION],
  'the entrypoint': ({ config }) => words(config?.Entrypoint),
  'the command': ({ config }) => words(config?.Cmd),
  'the user': ({ config }) => config?.User || undefined,
  'the working directory': ({ config }) => config?.WorkingDir || undefined,
  'the set of exposed ports': ({ config }) => list(Object.keys(config?.ExposedPorts ?? {})),
};

/** Where the platforms of an index differ although they should be one build. */
export function findDifferences(twins: readonly Twin[]): Difference[] {
  const common = Object.entries(COMMON).map(([what, read]) => differenceIn(what, twins, read));
  return [...common, differenceInEnvironment(twins)].flatMap(one => one ?? []);
}

function differenceIn(
  what: string,
  twins: readonly Twin[],
  read: (config: ImageConfig) => string | undefined,
): Difference | undefined {
  const values = twins.map(({ platform, config }) => [platform, read(config)] as const);
  if (new Set(values.map(([, value]) => value)).size < 2) return undefined;
  return {
    what,
    values: Object.fromEntries(values.map(([platform, value]) => [platform, clip(value ?? NOTHING)])),
  };
}

/** By names alone, of which only those are told that not all platforms have. */
function differenceInEnvironment(twins: readonly Twin[]): Difference | undefined {
  const names = twins.map(({ config }) => new Set(variables(config)));
  const [first = new Set<string>(), ...others] = names;
  const shared = new Set([...first].filter(name => others.every(one => one.has(name))));
  return differenceIn('the set of environment variables beyond the shared ones', twins, config =>
    list(variables(config).filter(name => !shared.has(name))),
  );
}

function variables({ config }: ImageConfig): string[] {
  return [...new Set((config?.Env ?? []).map(variable => variable.split('=', 1)[0] ?? ''))];
}

function words(argv: readonly string[] | null | undefined): string | undefined {
  return argv?.length ? JSON.stringify(argv) : undefined;
}

function list(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.toSorted().join(', ');
}

function clip(text: string): string {
  return harmless(text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text);
}
