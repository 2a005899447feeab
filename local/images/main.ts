import path from 'node:path';
import { parseArgs } from 'node:util';
import { SlipwayError } from '../../functions/errors.ts';
import { parseReference, type Reference } from '../../functions/image/reference.ts';
import { PROJECT_FOLDER } from '../files.ts';
import { EXAMPLE_SERVICE, PROJECT } from '../names.ts';
import { readSession, SESSION_FILE } from '../session.ts';
import { type BuildOptions, buildImage, isSamplePlatform, type SamplePlatform } from './build.ts';
import { PushError, pushImage } from './push.ts';

const USAGE = `Builds the sample service in app/ into a multi-architecture image and pushes it; no Docker needed.

  node local/images/main.ts --to 127.0.0.1:PORT/acme/apps/hello:v1.0.0

  --to HOST[:PORT]/REPOSITORY:TAG   where to push; loopback is spoken to over http, all else over https; without it the
                                    local cloud that runs here, with the version as tag
  --version VERSION                 shown by the service; the tag without it
  --platform linux/amd64            may be given more than once; linux/amd64 and linux/arm64 without it
  --env NAME=VALUE                  baked into the image; may be given more than once
  --app FOLDER                      sources; app/ of this project without it`;

const DEFAULT_APP = path.join(PROJECT_FOLDER, 'app');

export interface SampleOptions {
  /** HOST[:PORT]/REPOSITORY:TAG; undefined pushes into the local cloud. */
  readonly to?: string | undefined;
  readonly version?: string | undefined;
  readonly platform?: readonly string[] | undefined;
  /** NAME=VALUE each. */
  readonly env?: readonly string[] | undefined;
  readonly app?: string | undefined;
}

export class UsageError extends Error {}

/**
 * Builds the sample service and pushes it.
 *
 * @param registry host and port of the local cloud that runs here; undefined when none does
 * @returns what was pushed, for people
 */
export async function pushSample(options: SampleOptions, registry: string | undefined): Promise<string> {
  const to = destinationOf(options.to ?? defaultDestination(options.version, registry));
  const built = await buildImage({
    appDir: options.app ?? DEFAULT_APP,
    version: options.version ?? to.tag,
    platforms: platformsOf(options.platform ?? ['linux/amd64', 'linux/arm64']),
    env: environmentOf(options.env ?? []),
    attestation: true,
  } satisfies BuildOptions);
  const { digest, uploaded } = await pushImage(built, {
    endpoint: `${isLoopback(to.host) ? 'http' : 'https'}://${to.host}`,
    repository: to.repository,
    tag: to.tag,
  });
  return `Pushed ${to.host}/${to.repository}:${to.tag} (${uploaded} new blobs)\n${digest}`;
}

async function main(argv: readonly string[]): Promise<string> {
  const { help, ...options } = parseOptions(argv);
  if (help) return USAGE;
  const session = await readSession(SESSION_FILE);
  return pushSample(options, session?.urls['registry'] && new URL(session.urls['registry']).host);
}

function parseOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        to: { type: 'string' },
        version: { type: 'string' },
        platform: { type: 'string', multiple: true },
        env: { type: 'string', multiple: true },
        app: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function defaultDestination(version: string | undefined, registry: string | undefined): string {
  if (registry === undefined) {
    throw new UsageError(
      '--to is missing: where should the image be pushed? Without it a local cloud has to run in this folder.',
    );
  }
  if (version === undefined) throw new UsageError('--version is missing: which version is pushed?');
  return `${registry}/${PROJECT}/apps/${EXAMPLE_SERVICE}:${version}`;
}

function destinationOf(text: string): Reference & { readonly tag: string } {
  const reference = parseReference(text);
  const { tag } = reference;
  if (tag === undefined || reference.digest !== undefined) {
    throw new UsageError(
      `--to ${text}: expected a tag at the end, such as ${reference.host}/${reference.repository}:v1.0.0`,
    );
  }
  return { ...reference, tag };
}

function platformsOf(texts: readonly string[]): SamplePlatform[] {
  return [...new Set(texts)].map(text => {
    if (isSamplePlatform(text)) return text;
    throw new UsageError(`--platform ${text}: expected linux/amd64 or linux/arm64`);
  });
}

function environmentOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map(pair => {
      const equals = pair.indexOf('=');
      if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)];
      throw new UsageError(`--env ${pair}: expected NAME=VALUE`);
    }),
  );
}

function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/.test(host);
}

if (import.meta.main) {
  try {
    console.log(await main(process.argv.slice(2)));
  } catch (error) {
    const isUsage = error instanceof UsageError;
    if (!(isUsage || error instanceof PushError || error instanceof SlipwayError)) throw error;
    console.error(error.message);
    if (isUsage) console.error(`\n${USAGE}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}
