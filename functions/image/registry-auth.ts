import { SlipwayError } from '../errors.ts';
import { codeOfHttpStatus } from '../google/errors.ts';
import { checkForeignUrl, type Transport, type TransportOptions } from './transport.ts';

const MAX_TOKEN_ANSWER_BYTES = 256 * 1024;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface Authorizer {
  /** Value of the Authorization header for a first try; undefined to ask anonymously. */
  initial(repository: Repository): Promise<string | undefined>;
  /** After a 401: a better value, or undefined when there is nothing else to offer. */
  afterChallenge(
    repository: Repository,
    tried: string | undefined,
    challenge: string | null,
  ): Promise<string | undefined>;
}

export interface Repository {
  readonly host: string;
  readonly name: string;
  /** Where the registry's API is. */
  readonly base: URL;
}

export interface AuthorizerOptions {
  readonly transport: Transport;
  readonly guard: Pick<TransportOptions, 'trustedOrigins' | 'addressesOf'>;
  readonly accessToken: (host: string) => Promise<string | undefined>;
  readonly credentials: (host: string) => Promise<Credentials | undefined>;
}

/**
 * Google's hosts take an OAuth access token as it is; all others name, in a challenge, where to get one. What was got
 * is kept per repository until it is refused.
 */
export function authorizer(options: AuthorizerOptions): Authorizer {
  const known = new Map<string, Promise<string | undefined>>();

  return {
    async initial(repository) {
      const key = keyOf(repository);
      if (known.has(key)) return known.get(key);
      // A Google token opens far more than this registry, so it never travels in clear.
      if (!isGoogleHost(repository.host) || repository.base.protocol !== 'https:') return undefined;
      const token = await options.accessToken(repository.host);
      return token === undefined ? undefined : `Bearer ${token}`;
    },

    async afterChallenge(repository, tried, header) {
      const key = keyOf(repository);
      const current = await known.get(key)?.catch(() => undefined);
      if (current !== undefined && current !== tried) return current;
      const answer = respond(options, repository, header);
      known.set(key, answer);
      answer.catch(() => known.delete(key));
      const value = await answer;
      if (value === undefined) known.delete(key);
      return value === tried ? undefined : value;
    },
  };
}

export function isGoogleHost(host: string): boolean {
  return /(?:^|\.)(?:pkg\.dev|gcr\.io)$/.test(host);
}

async function respond(
  options: AuthorizerOptions,
  repository: Repository,
  header: string | null,
): Promise<string | undefined> {
  const challenge = parseChallenge(header ?? '');
  if (!challenge) return undefined;
  const credentials = await options.credentials(repository.host);
  if (challenge.scheme === 'basic') return credentials ? basic(credentials) : undefined;
  return `Bearer ${await fetchToken(options, repository, challenge.parameters, credentials)}`;
}

/** Source: the distribution project's token authentication specification. */
async function fetchToken(
  options: AuthorizerOptions,
  repository: Repository,
  parameters: Readonly<Record<string, string>>,
  credentials: Credentials | undefined,
): Promise<string> {
  const operation = `get a pull token for ${repository.host}/${repository.name}`;
  const realm = URL.parse(parameters['realm'] ?? '');
  if (!realm) {
    throw new SlipwayError(`${operation}: the registry's challenge names no realm to get it from.`, {
      code: 'Unauthenticated',
      operation,
    });
  }
  await checkForeignUrl(options.guard, realm, repository.base, operation);
  if (parameters['service'] !== undefined) realm.searchParams.set('service', parameters['service']);
  realm.searchParams.set('scope', parameters['scope'] ?? `repository:${repository.name}:pull`);
  const headers = credentials ? { authorization: basic(credentials) } : {};
  const answer = await options.transport.get(realm, headers, operation);
  const body = await answer.body(MAX_TOKEN_ANSWER_BYTES);
  if (answer.status !== 200) {
    const code = codeOfHttpStatus(answer.status);
    throw new SlipwayError(`${operation}: ${realm.host} answered ${answer.status}.`, { code, operation });
  }
  const token = tokenIn(body);
  if (token === undefined) {
    throw new SlipwayError(`${operation}: ${realm.host} answered without a token.`, {
      code: 'Unauthenticated',
      operation,
    });
  }
  return token;
}

function tokenIn(body: Buffer): string | undefined {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'));
    if (typeof json !== 'object' || json === null) return undefined;
    if ('token' in json && typeof json.token === 'string') return json.token;
    if ('access_token' in json && typeof json.access_token === 'string') return json.access_token;
  } catch {
    // Falls through: an answer that is not JSON holds no token.
  }
  return undefined;
}

interface Challenge {
  readonly scheme: 'bearer' | 'basic';
  readonly parameters: Readonly<Record<string, string>>;
}

/** The Bearer challenge of a WWW-Authenticate header, else its Basic one. */
function parseChallenge(header: string): Challenge | undefined {
  const bearer = /(?:^|,)\s*bearer\s+/i.exec(header);
  if (bearer) {
    const parameters: Record<string, string> = {};
    const rest = header.slice(bearer.index + bearer[0].length);
    for (const [, name, quoted, plain] of rest.matchAll(/([a-z_]+)=(?:"([^"]*)"|([^",\s]+))/gi)) {
      if (name !== undefined) parameters[name.toLowerCase()] ??= quoted ?? plain ?? '';
    }
    return { scheme: 'bearer', parameters };
  }
  return /(?:^|,)\s*basic\b/i.test(header) ? { scheme: 'basic', parameters: {} } : undefined;
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function keyOf(repository: Repository): string {
  return `${repository.host}/${repository.name}`;
}
