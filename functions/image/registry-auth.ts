import { type ErrorCode, SlipwayError } from '../errors.ts';
import { codeOfHttpStatus } from '../google/errors.ts';
import {
  type Answer,
  checkForeignUrl,
  type Guard,
  parseUrl,
  retryAfterSeconds,
  type Transport,
} from './transport.ts';

const MAX_TOKEN_ANSWER_BYTES = 256 * 1024;

export type Credentials =
  | { readonly username: string; readonly password: string }
  /** What `docker login` may keep instead of a password: a refresh token, exchanged for pull tokens by OAuth 2. */
  | { readonly identityToken: string };

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
  readonly guard: Guard;
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
      if (!isGoogleHost(repository.host) || !mayHoldGoogleToken(repository.base)) return undefined;
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

/** It opens far more than this registry: it never travels in clear, nor to a mirror that is somebody else's. */
function mayHoldGoogleToken({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' && isGoogleHost(hostname);
}

async function respond(
  options: AuthorizerOptions,
  repository: Repository,
  header: string | null,
): Promise<string | undefined> {
  const challenge = parseChallenge(header ?? '');
  if (!challenge) return undefined;
  const credentials = await options.credentials(repository.host);
  if (challenge.scheme === 'basic') {
    return credentials && 'password' in credentials ? basic(credentials) : undefined;
  }
  return `Bearer ${await fetchToken(options, repository, challenge.parameters, credentials)}`;
}

/** Source: the distribution project's token authentication specification, and its OAuth 2 one for identity tokens. */
async function fetchToken(
  options: AuthorizerOptions,
  repository: Repository,
  parameters: Readonly<Record<string, string>>,
  credentials: Credentials | undefined,
): Promise<string> {
  const operation = `get a pull token for ${repository.host}/${repository.name}`;
  const realm = parseUrl(parameters['realm'] ?? '');
  if (!realm) throw noToken(operation, "the registry's challenge names no realm to get it from");
  await checkForeignUrl(
    options.guard,
    { url: realm, registry: repository.base, purpose: 'token' },
    operation,
  );
  const wanted = {
    ...(parameters['service'] === undefined ? {} : { service: parameters['service'] }),
    scope: parameters['scope'] ?? `repository:${repository.name}:pull`,
  };
  const answer = await requestToken(options.transport, realm, wanted, credentials, operation);
  if (answer.status !== 200) {
    answer.discard();
    const message = `${operation}: ${realm.host} answered ${answer.status}.`;
    const code = codeOfRefusal(answer.status);
    throw new SlipwayError(message, { code, operation, retryAfterSeconds: retryAfterSeconds(answer) });
  }
  const token = tokenIn(await tokenBody(answer, realm, operation));
  if (token === undefined) throw noToken(operation, `${realm.host} answered without a token`);
  return token;
}

function requestToken(
  transport: Transport,
  realm: URL,
  wanted: Readonly<Record<string, string>>,
  credentials: Credentials | undefined,
  operation: string,
): Promise<Answer> {
  if (credentials && 'identityToken' in credentials) {
    const form = { grant_type: 'refresh_token', client_id: 'slipway', ...wanted };
    const secret = { refresh_token: credentials.identityToken };
    return transport.post(realm, new URLSearchParams({ ...form, ...secret }), operation);
  }
  for (const [name, value] of Object.entries(wanted)) realm.searchParams.set(name, value);
  return transport.get(realm, credentials ? { authorization: basic(credentials) } : {}, operation);
}

/** What the token service does not have, or finds wrong, is not the image: those codes would say so. */
function codeOfRefusal(status: number): ErrorCode {
  const code = codeOfHttpStatus(status);
  return code === 'NotFound' || code === 'InvalidArgument' ? 'Internal' : code;
}

async function tokenBody(answer: Answer, realm: URL, operation: string): Promise<Buffer> {
  try {
    return await answer.body(MAX_TOKEN_ANSWER_BYTES);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'InvalidArgument') throw error;
    throw noToken(operation, `${realm.host} answered more than ${MAX_TOKEN_ANSWER_BYTES} bytes`, 'Internal');
  }
}

function noToken(operation: string, why: string, code: ErrorCode = 'Unauthenticated'): SlipwayError {
  return new SlipwayError(`${operation}: ${why}.`, { code, operation });
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

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function keyOf(repository: Repository): string {
  return `${repository.host}/${repository.name}`;
}
