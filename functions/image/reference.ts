import { SlipwayError } from '../errors.ts';
import { isDigest } from './digest.ts';

/** An image reference, taken apart: `HOST/REPOSITORY[:TAG][@DIGEST]`. */
export interface Reference {
  /** With the port, if the reference has one. */
  readonly host: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

const DOCKER_HUB = 'docker.io';
const MAX_NAME_LENGTH = 255;
const MAX_TEXT_LENGTH = 1024;

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/**
 * Takes a reference apart by the grammar of the distribution specification. A name without a host is Docker Hub's, and
 * there a name of one component is an official image: `nginx` is `docker.io/library/nginx`.
 *
 * @throws SlipwayError `InvalidArgument` that names the part which is wrong.
 */
export function parseReference(text: string): Reference {
  if (text.length > MAX_TEXT_LENGTH) {
    throw invalid(
      `${text.slice(0, 60)}…`,
      `it is ${text.length} characters long, at most ${MAX_TEXT_LENGTH} are allowed`,
    );
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const { host, repository } = splitName(hasTag ? named.slice(0, colon) : named);

  checkName(text, host, repository);
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(
      text,
      `the tag "${tag}" must be 1 to 128 letters, digits, "_", "." or "-", and not begin with "." or "-"`,
    );
  }
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(text, `"${digest}" is not a digest; expected sha256: and 64 lower-case hexadecimal digits`);
  }
  return {
    host,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** `HOST/REPOSITORY`, without tag and digest. */
export function imageOf(reference: Reference): string {
  return `${reference.host}/${reference.repository}`;
}

export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${imageOf(reference)}${tag}${digest}`;
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** The first component is a host only if it cannot be a path: a dot, a port, an upper-case letter or `localhost`. */
function splitName(name: string): { host: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  if (first === 'localhost' || /[.:[A-Z]/.test(first)) {
    const host = first === 'index.docker.io' ? DOCKER_HUB : first;
    return { host, repository: onHub(host, name.slice(slash + 1)) };
  }
  return { host: DOCKER_HUB, repository: onHub(DOCKER_HUB, name) };
}

function onHub(host: string, repository: string): string {
  return host === DOCKER_HUB && repository !== '' && !repository.includes('/')
    ? `library/${repository}`
    : repository;
}

function checkName(text: string, host: string, repository: string): void {
  if (!HOST.test(host) || !URL.canParse(`https://${host}`)) {
    throw invalid(text, `"${host}" is not a host name with an optional port`);
  }
  if (repository === '') throw invalid(text, 'it names no repository');
  const wrong = repository.split('/').find(part => !PATH_COMPONENT.test(part));
  if (wrong !== undefined) {
    throw invalid(
      text,
      `the path component "${wrong}" must be lower-case letters and digits, separated by ".", "_", "__" or "-"`,
    );
  }
  if (host.length + 1 + repository.length > MAX_NAME_LENGTH) {
    throw invalid(text, `its name is longer than ${MAX_NAME_LENGTH} characters`);
  }
}

function invalid(text: string, why: string): SlipwayError {
  return new SlipwayError(`"${text}" is not an image reference: ${why}.`, {
    code: 'InvalidArgument',
    operation: 'parse image reference',
  });
}
