import { SlipwayError } from '../functions/errors.ts';
import { isDigest } from '../functions/image/digest.ts';
import { type FetchedManifest, type Registry, registryClient } from '../functions/image/registry.ts';
import { type Credentials, isGoogleHost } from '../functions/image/registry-auth.ts';
import { readSettings } from '../functions/settings.ts';
import { bytes } from './output.ts';
import { quickFetch } from './quick-fetch.ts';

export interface RegistryAccess {
  /** As in image references. */
  readonly host: string;
  /** Plain HTTP. */
  readonly insecure: boolean;
  readonly timeoutMs: number;
}

export interface OpenedRegistry {
  readonly registry: Registry;
  /** What was read so far: `4 answers, 12 kB`. */
  readonly progress: () => string;
  close(): void;
}

/** A registry as the person at this machine may read it. */
export function openRegistry(access: RegistryAccess, env: NodeJS.ProcessEnv): OpenedRegistry {
  const { fetch, traffic, close } = quickFetch();
  const logins = loginsOf(env);
  const { registryMirrors } = readSettings({ GOOGLE_CLOUD_PROJECT: '', ...env });
  const insecure = access.insecure ? { [access.host]: `http://${access.host}` } : {};
  const client = registryClient({
    mirrors: { ...registryMirrors, ...insecure },
    accessToken: logins.accessToken,
    credentials: logins.credentials,
    timeoutMs: access.timeoutMs,
    fetch,
  });
  return {
    registry: explaining(remembering(client), logins.problem),
    progress: () => `${traffic.answers} answers, ${bytes(traffic.bytes)}`,
    close,
  };
}

interface Logins {
  readonly accessToken: (host: string) => Promise<string | undefined>;
  readonly credentials: (host: string) => Promise<Credentials | undefined>;
  /** Why there is no access token for Google's hosts. */
  readonly problem: () => string | undefined;
}

/** What docker is logged in with; else, on Google's hosts, Application Default Credentials; else nothing. */
function loginsOf(env: NodeJS.ProcessEnv): Logins {
  let docker: Promise<(host: string) => Promise<Credentials | undefined>> | undefined;
  let token: Promise<string | undefined> | undefined;
  let problem: string | undefined;
  const credentials = async (host: string) => {
    docker ??= import('../functions/image/docker-config.ts').then(module => module.dockerCredentials(env));
    return (await docker)(host);
  };
  return {
    credentials,
    async accessToken(host) {
      if (!isGoogleHost(host) || (await credentials(host))) return undefined;
      token ??= defaultToken().catch(error => {
        problem = error instanceof Error ? error.message : String(error);
        return undefined;
      });
      return token;
    },
    problem: () => problem,
  };
}

async function defaultToken(): Promise<string | undefined> {
  const { GoogleAuth } = await import('google-auth-library');
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  return (await auth.getAccessToken()) ?? undefined;
}

/** A tag is resolved by reading what it names, which is asked for again by its digest. */
function remembering(registry: Registry): Registry {
  let resolved: FetchedManifest | undefined;
  return {
    ...registry,
    async manifest(image, reference) {
      if (isDigest(reference)) {
        return resolved?.digest === reference ? resolved : registry.manifest(image, reference);
      }
      resolved = await registry.manifest(image, reference);
      return resolved;
    },
  };
}

/** Says beside an error what the person at this machine can do about it. */
function explaining(registry: Registry, problem: () => string | undefined): Registry {
  const telling = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const advice = error instanceof SlipwayError ? adviceOn(error, problem()) : undefined;
      if (!(error instanceof SlipwayError) || advice === undefined) throw error;
      const { code, operation, message } = error;
      throw new SlipwayError(`${message.trim()} ${advice}`, { code, operation, cause: error });
    }
  };
  return {
    manifest: (image, reference) => telling(registry.manifest(image, reference)),
    blob: (image, digest) => telling(registry.blob(image, digest)),
    referrers: (image, digest, query) => telling(registry.referrers(image, digest, query)),
  };
}

function adviceOn({ code, message }: SlipwayError, problem: string | undefined): string | undefined {
  if (/EPROTO|wrong version number/.test(message))
    return 'If the registry speaks plain HTTP, say --insecure.';
  const isRefused = code === 'Unauthenticated' || code === 'PermissionDenied';
  if (!isRefused || problem === undefined) return undefined;
  return `There are no credentials to offer (${problem}): log in with docker login, or gcloud auth application-default login.`;
}
