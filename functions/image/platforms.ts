/** A platform as an index entry or an image config spells it. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** The variant that is meant when none is written. Other architectures have none. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/** Other spellings that container runtimes understand. */
const SPELLINGS: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm/v7',
  armel: 'arm/v6',
  i386: '386',
};

/** `linux/arm64`, `linux/arm/v7`; a variant that goes without saying is left out. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalised(platform);
  const says = variant !== undefined && variant !== DEFAULT_VARIANT[architecture];
  return says ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/** Undefined unless the text is `os/architecture` or `os/architecture/variant`. */
export function parsePlatform(text: string): Platform | undefined {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  const [, os, architecture, variant] = match ?? [];
  if (os === undefined || architecture === undefined) return undefined;
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/** Same platform, where `arm64` is `arm64/v8`, `amd64` is `amd64/v1`, `arm` is `arm/v7` and `aarch64` is `arm64`. */
export function samePlatform(one: Platform, other: Platform): boolean {
  return formatPlatform(one) === formatPlatform(other);
}

/**
 * How well what was built for `built` runs where `wanted` is asked for: undefined when it does not, else the higher the
 * better. As with containerd, a machine of a variant runs what was built for it and for the lower ones.
 */
export function rank(built: Platform, wanted: Platform): number | undefined {
  const [has, asks] = [normalised(built), normalised(wanted)];
  if (has.os !== asks.os || has.architecture !== asks.architecture) return undefined;
  const [mine, most] = [level(has), level(asks)];
  if (mine === undefined || most === undefined) return has.variant === asks.variant ? 0 : undefined;
  return mine <= most ? mine : undefined;
}

/** Entries that are no image but say something about one; BuildKit marks its attestations so. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' && platform.architecture === 'unknown';
}

function normalised({ os, architecture, variant }: Platform): Platform {
  const lower = architecture.toLowerCase();
  const spelled = Object.hasOwn(SPELLINGS, lower) ? (SPELLINGS[lower] ?? lower) : lower;
  const [name = '', implied] = spelled.split('/');
  const written = variant?.toLowerCase().replace(/^(?=\d)/, 'v') || implied;
  return { os: os.toLowerCase(), architecture: name, variant: written };
}

/** `v8.2` is 8.2. Undefined where variants have no order. */
function level({ architecture, variant }: Platform): number | undefined {
  const [, number] = /^v(\d+(?:\.\d+)?)$/.exec(variant ?? DEFAULT_VARIANT[architecture] ?? '') ?? [];
  return number === undefined ? undefined : Number(number);
}
