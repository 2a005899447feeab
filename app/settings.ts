/** What the service reads from its environment, checked once at the start. */
export interface Settings {
  readonly port: number;
  readonly service: string;
  readonly revision: string;
  readonly version: string;
  /** `amd64` or `arm64` as in image platforms; other machines keep Node's name. */
  readonly architecture: string;
  /** Undefined: the metadata server is asked. */
  readonly region: string | undefined;
  readonly project: string | undefined;
  readonly metadataHost: string;
  /** Behind a load balancer: what came to it by HTTP is sent to HTTPS. */
  readonly httpsRedirect: boolean;
  readonly guide: GuideSettings;
  readonly faults: Faults;
}

export interface GuideSettings {
  /** Undefined: there is no guide. */
  readonly model: string | undefined;
  /** Where Vertex AI is asked, which need not be where the service runs: not every region has every model. */
  readonly location: string;
}

/** Switches for drills. */
export interface Faults {
  /** Share of the requests to `/` that is answered with 500, from 0 to 1. */
  readonly failRatio: number;
  readonly latencyMs: number;
  readonly failStart: boolean;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param machine `process.arch`
 * @throws SettingsError with everything that is wrong, not only the first
 */
export function settingsFrom(env: Environment, machine: string): Settings {
  const problems: string[] = [];
  const number = (name: string, unset: number, expected: string, fits: (value: number) => boolean) => {
    const text = env[name];
    if (text === undefined || text === '') return unset;
    const value = Number(text);
    if (!Number.isFinite(value) || !fits(value)) problems.push(`${name} is "${text}", expected ${expected}`);
    return value;
  };
  const port = number('PORT', 8080, 'a port from 0 to 65535', isPort);
  const failRatio = number('FAIL_RATIO', 0, 'a share from 0 to 1', value => value >= 0 && value <= 1);
  const latencyMs = number('LATENCY_MS', 0, 'milliseconds, 0 or more', value => value >= 0);
  if (problems.length > 0) throw new SettingsError(problems.join('; '));
  return {
    port,
    service: env['K_SERVICE'] || 'hello',
    revision: env['K_REVISION'] || 'unknown',
    version: env['VERSION'] || 'unknown',
    architecture: env['TARGETARCH'] || platformArchitecture(machine),
    region: env['REGION'] || undefined,
    project: env['GOOGLE_CLOUD_PROJECT'] || undefined,
    metadataHost: env['GCE_METADATA_HOST'] || 'metadata.google.internal',
    httpsRedirect: env['HTTPS_REDIRECT'] === '1',
    guide: { model: env['GUIDE_MODEL'] || undefined, location: env['GUIDE_LOCATION'] || 'global' },
    faults: { failRatio, latencyMs, failStart: env['FAIL_START'] === '1' },
  };
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65_535;
}

function platformArchitecture(machine: string): string {
  return machine === 'x64' ? 'amd64' : machine;
}
