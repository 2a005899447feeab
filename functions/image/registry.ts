import { Readable } from 'node:stream';
import { SlipwayError } from '../errors.ts';
import { codeOfHttpStatus, normalise } from '../google/errors.ts';
import { type AddressesOf, resolveAddresses } from './addresses.ts';
import { digestCheck, digestOf, isDigest } from './digest.ts';
import { INDEX_TYPES, MANIFEST_TYPES, SCHEMA_1_TYPES } from './documents.ts';
import { imageOf, isTag, parseReference } from './reference.ts';
import {
  type Authorizer,
  authorizer,
  type Credentials,
  isGoogleHost,
  type Repository,
} from './registry-auth.ts';
import { type Answer, clean, type Fetch, retryAfterSeconds, type Transport, transport } from './transport.ts';

/** The size that the distribution specification asks every registry to accept. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const DEFAULT_TIMEOUT_MS = 10_000;
const REFERRERS_TYPE = 'application/vnd.oci.image.index.v1+json';
/** What registries say that do not know the referrers API: not found, or that they do not understand. */
const NO_REFERRERS: readonly number[] = [400, 404, 405, 406, 501];

/** The read half of an OCI registry. Every method throws SlipwayError only. */
export interface Registry {
  /**
   * @param image `HOST/REPOSITORY`
   * @param reference tag or digest; the bytes are checked against a digest
   * @throws SlipwayError `NotFound`; `InvalidArgument` when the answer cannot be what was asked for
   */
  manifest(image: string, reference: string): Promise<FetchedManifest>;
  /** A stream that ends in an error (SlipwayError `InvalidArgument`) when its bytes do not have the digest. */
  blob(image: string, digest: string): Promise<Readable>;
  /**
   * One page of the manifests that name `digest` as their subject, as the registry lists them.
   *
   * @param query of the page before's `nextQuery`; none asks for the first page
   * @returns undefined when the registry does not know this list (distribution specification, "Unavailable Referrers API")
   */
  referrers(image: string, digest: string, query?: string): Promise<ReferrersPage | undefined>;
}

export interface ReferrersPage {
  /** An OCI index. It has no digest of its own to be checked against. */
  readonly bytes: Buffer;
  /** There is another page. */
  readonly nextQuery: string | undefined;
}

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: string;
}

export interface RegistryOptions {
  /** Host as in image references → base URL that serves it: `{"us-docker.pkg.dev": "http://127.0.0.1:5000"}`. */
  readonly mirrors: Readonly<Record<string, string>>;
  /** OAuth access token for Google's hosts; never sent in clear. */
  readonly accessToken: (host: string) => Promise<string | undefined>;
  /** For hosts that ask for them: user name and password, or an identity token. */
  readonly credentials?: (host: string) => Promise<Credentials | undefined>;
  readonly fetch?: Fetch;
  /** For the headers of an answer, and for the wait for its body beyond 64 KiB a second. */
  readonly timeoutMs?: number;
  readonly addressesOf?: AddressesOf;
}

export function registryClient(options: RegistryOptions): Registry {
  const guard = {
    trustedOrigins: new Set(Object.values(options.mirrors).map(base => new URL(base).origin)),
    addressesOf: options.addressesOf ?? resolveAddresses,
  };
  const http = transport({
    ...guard,
    fetch: options.fetch ?? fetch,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  });
  const auth = authorizer({
    transport: http,
    guard,
    accessToken: options.accessToken,
    credentials: options.credentials ?? (async () => undefined),
  });

  return {
    async manifest(image, reference) {
      const operation = `read manifest ${image}${isDigest(reference) ? '@' : ':'}${reference}`;
      return throwingOurs(operation, async () => {
        const repository = locate(image, options.mirrors);
        checkReference(reference, operation);
        const path = `manifests/${reference}`;
        const accept = [...INDEX_TYPES, ...MANIFEST_TYPES, ...SCHEMA_1_TYPES].join(', ');
        const answer = await get(http, auth, repository, path, accept, operation);
        return readManifest(answer, reference, operation);
      });
    },

    async blob(image, digest) {
      const operation = `read blob ${image}@${digest}`;
      return throwingOurs(operation, async () => {
        const repository = locate(image, options.mirrors);
        if (!isDigest(digest)) throw malformed(operation, `"${clean(digest)}" is not a digest`);
        const answer = await get(http, auth, repository, `blobs/${digest}`, '*/*', operation);
        const stream = Readable.from(checked(answer, digest, operation), { objectMode: false });
        // A generator that waits for the next chunk cannot be told to end.
        return stream.once('close', () => answer.discard());
      });
    },

    async referrers(image, digest, query = '') {
      const operation = `list referrers of ${image}@${digest}`;
      return throwingOurs(operation, async () => {
        const repository = locate(image, options.mirrors);
        if (!isDigest(digest)) throw malformed(operation, `"${clean(digest)}" is not a digest`);
        const path = `referrers/${digest}${query}`;
        const answer = await get(http, auth, repository, path, REFERRERS_TYPE, operation, NO_REFERRERS);
        return readReferrers(answer);
      });
    },
  };
}

async function throwingOurs<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw normalise(error, operation);
  }
}

/** Where Docker Hub's API is, which is not where its references say. */
const DOCKER_HUB_API = 'https://registry-1.docker.io';

function locate(image: string, mirrors: Readonly<Record<string, string>>): Repository {
  const reference = parseReference(image);
  if (imageOf(reference) !== image || reference.tag !== undefined || reference.digest !== undefined) {
    throw malformed('locate registry', `"${image}" is not HOST/REPOSITORY without tag and digest`);
  }
  const { host } = reference;
  const base = new URL(mirrors[host] ?? (host === 'docker.io' ? DOCKER_HUB_API : `https://${host}`));
  if (base.username !== '' || base.password !== '') throw secretInMirror(host);
  return { host, name: reference.repository, base };
}

function checkReference(reference: string, operation: string): void {
  if (isDigest(reference) ? digestCheck(reference) : isTag(reference)) return;
  throw malformed(operation, `"${clean(reference)}" is neither a tag nor a digest that can be checked here`);
}

async function get(
  http: Transport,
  auth: Authorizer,
  repository: Repository,
  path: string,
  accept: string,
  operation: string,
  alsoAnswers: readonly number[] = [],
): Promise<Answer> {
  const base = repository.base.href.replace(/\/$/, '');
  const url = new URL(`${base}/v2/${repository.name}/${path}`);
  // Bytes count as they are stored: a transfer encoding of the transport's own would change them.
  const headers = { accept, 'accept-encoding': 'identity', 'user-agent': 'slipway' };
  const tried = await auth.initial(repository);
  let answer = await http.get(url, tried ? { ...headers, authorization: tried } : headers, operation);
  if (answer.status === 401) {
    const challenge = answer.headers.get('www-authenticate');
    const better = challenge ? await auth.afterChallenge(repository, tried, challenge) : undefined;
    if (better !== undefined) {
      // Read rather than cut off, so that the connection can be used again.
      await answer.body(MAX_ERROR_BYTES).catch(() => undefined);
      answer = await http.get(url, { ...headers, authorization: better }, operation);
    }
  }
  if (answer.status === 200 || alsoAnswers.includes(answer.status)) return answer;
  throw await errorOf(answer, repository, operation);
}

async function readManifest(answer: Answer, reference: string, operation: string): Promise<FetchedManifest> {
  const bytes = await answer.body(MAX_MANIFEST_BYTES);
  const expected = isDigest(reference) ? reference : answer.headers.get('docker-content-digest');
  const check = expected && isDigest(expected) ? digestCheck(expected) : undefined;
  check?.update(bytes);
  const actual = check?.actual() ?? digestOf(bytes);
  if (check && actual !== expected) throw mismatch(operation, actual, expected ?? '');
  const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  return { bytes, mediaType: mediaType || 'application/octet-stream', digest: actual };
}

async function readReferrers(answer: Answer): Promise<ReferrersPage | undefined> {
  const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  // Some answer every unknown path with a page for people.
  if (answer.status !== 200 || mediaType !== REFERRERS_TYPE) {
    answer.discard();
    return undefined;
  }
  const bytes = await answer.body(MAX_MANIFEST_BYTES);
  return { bytes, nextQuery: nextQuery(answer.headers.get('link')) };
}

/** Only the query of a link is followed: the next page of a list is on the same host, under the same path. */
function nextQuery(link: string | null): string | undefined {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next\b/i.exec(link ?? '') ?? [];
  return (target && URL.parse(target, 'https://registry.invalid')?.search) || undefined;
}

async function* checked(answer: Answer, digest: string, operation: string): AsyncGenerator<Uint8Array, void> {
  const check = digestCheck(digest);
  if (!check) throw malformed(operation, 'the digest names an algorithm that cannot be checked here');
  try {
    for await (const chunk of answer.chunks()) {
      check.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw normalise(error, operation);
  }
  const actual = check.actual();
  if (actual !== digest) throw mismatch(operation, actual, digest);
}

async function errorOf(answer: Answer, repository: Repository, operation: string): Promise<SlipwayError> {
  const status = codeOfHttpStatus(answer.status);
  // InvalidArgument is kept for content that is wrong: a registry that does not understand us says nothing about it.
  const code = status === 'InvalidArgument' ? 'Internal' : status;
  const said = registryMessage(await answer.body(MAX_ERROR_BYTES).catch(() => Buffer.alloc(0)));
  const detail = said === '' ? '' : ` (${said})`;
  return new SlipwayError(
    `${operation}: ${repository.host} answered ${answer.status}${detail}.${advice(answer.status, repository)}`,
    { code, operation, retryAfterSeconds: retryAfterSeconds(answer) },
  );
}

function advice(status: number, repository: Repository): string {
  if (status !== 401 && status !== 403) return '';
  return isGoogleHost(repository.host)
    ? ' Grant roles/artifactregistry.reader on the repository to the account that Slipway runs as.'
    : ' The registry wants credentials that may pull from the repository.';
}

/** `CODE: message` of the distribution specification's error body, in one short line. */
function registryMessage(body: Buffer): string {
  try {
    const json: unknown = JSON.parse(body.toString('utf8'));
    if (typeof json !== 'object' || json === null || !('errors' in json) || !Array.isArray(json.errors))
      return '';
    const first: unknown = json.errors[0];
    if (typeof first !== 'object' || first === null) return '';
    const code = 'code' in first ? String(first.code) : '';
    const message = 'message' in first ? String(first.message) : '';
    return clean(`${code}: ${message}`);
  } catch {
    return '';
  }
}

function mismatch(operation: string, actual: string, expected: string): SlipwayError {
  return malformed(operation, `what the registry sent has the digest ${actual} instead of ${expected}`);
}

/** Not what fetch says, which would repeat the secret. */
function secretInMirror(host: string): SlipwayError {
  const operation = 'locate registry';
  return new SlipwayError(
    `${operation}: the mirror of ${host} has a user name or password in its URL, where they are not read. Take them out, and give them as for any registry: docker login ${host}`,
    { code: 'Internal', operation },
  );
}

function malformed(operation: string, why: string): SlipwayError {
  return new SlipwayError(`${operation}: ${why}.`, { code: 'InvalidArgument', operation });
}
