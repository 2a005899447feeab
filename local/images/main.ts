import path from 'node:path';
import { parseArgs } from 'node:util';
import { SlipwayError } from '../../functions/errors.ts';
import { parseReference, type Reference } from '../../functions/image/reference.ts';
import { type BuildOptions, buildImage, isSamplePlatform, type SamplePlatform } from './build.ts';
import { PushError, pushImage } from './push.ts';

const USAGE = `Builds the sample service in app/ into a multi-architecture image and pushes it; no Docker needed.

  node local/images/main.ts --to 127.0.0.1:PORT/acme/apps/hello:v1.0.0

  --to HOST[:PORT]/REPOSITORY:TAG   where to push; loopback is spoken to over http, all else over https
  --version VERSION                 shown by the service; the tag without it
  --platform linux/amd64            may be given more than once; linux/amd64 and linux/arm64 without it
  --env NAME=VALUE                  baked into the image; may be given more than once
  --app FOLDER                      sources; app/ of this project without it`;

const DEFAULT_APP = path.join(import.meta.dirname, '..', '..', 'app');

class UsageError extends Error {}

try {
  console.log(await run(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError || error instanceof PushError || error instanceof SlipwayError))
    throw error;
  console.error(error.message);
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function run(argv: readonly string[]): Promise<string> {
  const values = parseOptions(argv);
  if (values.help) return USAGE;
  const to = destinationOf(values.to);
  const built = await buildImage({
    appDir: values.app ?? DEFAULT_APP,
    version: values.version ?? to.tag,
    platforms: platformsOf(values.platform ?? ['linux/amd64', 'linux/arm64']),
    env: environmentOf(values.env ?? []),
    attestation: true,
  } satisfies BuildOptions);
  const { digest, uploaded } = await pushImage(built, {
    endpoint: `${isLoopback(to.host) ? 'http' : 'https'}://${to.host}`,
    repository: to.repository,
    tag: to.tag,
  });
  return `Pushed ${to.host}/${to.repository}:${to.tag} (${uploaded} new blobs)\n${digest}`;
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

function destinationOf(text: string | undefined): Reference & { readonly tag: string } {
  if (text === undefined) throw new UsageError('--to is missing: where should the image be pushed?');
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
