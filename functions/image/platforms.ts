/** A platform as an index entry or an image config spells it. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** The variant that is meant when none is written. Other architectures have none. */
const DEFAULT_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/** `linux/arm64`, `linux/arm/v7`; a variant that goes without saying is left out. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  const says = variant && variant !== DEFAULT_VARIANT[architecture];
  return says ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}

/** Undefined unless the text is `os/architecture` or `os/architecture/variant`. */
export function parsePlatform(text: string): Platform | undefined {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  const [, os, architecture, variant] = match ?? [];
  if (os === undefined || architecture === undefined) return undefined;
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/** Same platform, where `arm64` is `arm64/v8`, `amd64` is `amd64/v1` and `arm` is `arm/v7`. */
export function samePlatform(one: Platform, other: Platform): boolean {
  return formatPlatform(one) === formatPlatform(other);
}

/** Entries that are no image but say something about one; BuildKit marks its attestations so. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' && platform.architecture === 'unknown';
}
