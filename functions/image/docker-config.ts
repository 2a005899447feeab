import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../errors.ts';
import type { Credentials } from './registry-auth.ts';

/** A helper may ask a person to unlock a key ring, or a cloud for a token. */
const HELPER_TIMEOUT_MS = 30_000;
const MAX_HELPER_ANSWER_BYTES = 1024 * 1024;
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
/** What a helper gives as user name when the secret is an identity token. */
const TOKEN_USER = '<token>';

const entrySchema = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});

const configSchema = z.looseObject({
  auths: z.record(z.string(), entrySchema).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

const helperAnswerSchema = z.looseObject({ Username: z.string(), Secret: z.string() });

type DockerConfig = z.infer<typeof configSchema>;
type Entry = z.infer<typeof entrySchema>;

/**
 * What `docker login` left on this machine: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. Like docker, a
 * host's own helper is asked first, then the store for all hosts, then the file itself. The file is read once.
 *
 * @returns by host, undefined when docker is not logged in there
 * @throws SlipwayError `Unauthenticated` (from the returned function) for a file or a helper that does not work
 */
export function dockerCredentials(
  env: NodeJS.ProcessEnv,
  helperTimeoutMs = HELPER_TIMEOUT_MS,
): (host: string) => Promise<Credentials | undefined> {
  const folder = env['DOCKER_CONFIG'] || path.join(env['HOME'] || homedir(), '.docker');
  let config: Promise<DockerConfig | undefined> | undefined;
  return async host => {
    config ??= readConfig(path.join(folder, 'config.json'));
    const known = await config;
    if (!known) return undefined;
    const helper = valueFor(known.credHelpers ?? {}, host) ?? known.credsStore;
    const fromHelper = helper ? await askHelper(helper, host, env, helperTimeoutMs) : undefined;
    if (fromHelper) return fromHelper;
    const entry = valueFor(known.auths ?? {}, host);
    return entry && credentialsIn(entry);
  };
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
      return undefined;
    }
    throw unusable(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  try {
    return configSchema.parse(JSON.parse(text));
  } catch {
    // Without the details, which may quote a password.
    throw unusable(`${file} is not a docker configuration; log in again with docker login`);
  }
}

/** Keys are hosts, or URLs from the time of the first registry protocol, which only Docker Hub still has. */
function valueFor<T>(values: Readonly<Record<string, T>>, host: string): T | undefined {
  const names = host === 'docker.io' ? ['index.docker.io', 'docker.io', 'registry-1.docker.io'] : [host];
  for (const name of names) {
    const key =
      Object.keys(values).find(one => one === name) ?? Object.keys(values).find(one => hostOf(one) === name);
    if (key !== undefined) return values[key];
  }
  return undefined;
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}

function credentialsIn(entry: Entry): Credentials | undefined {
  if (entry.identitytoken) return { identityToken: entry.identitytoken };
  if (entry.username && entry.password) return { username: entry.username, password: entry.password };
  const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon <= 0) return undefined;
  // Old versions of docker filled the password up with zeros.
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
}

/** Source: https://github.com/docker/docker-credential-helpers, "Development". */
async function askHelper(
  name: string,
  host: string,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(name)) throw unusable(`"${name}" is not the name of a credential helper`);
  const program = `docker-credential-${name}`;
  const { status, output } = await run(program, host === 'docker.io' ? DOCKER_HUB_KEY : host, env, timeoutMs);
  if (status !== 0) {
    if (/credentials not found|no credentials/i.test(output)) return undefined;
    throw unusable(`${program} failed for ${host}: ${firstLine(output)}`);
  }
  const answer = parseAnswer(output);
  if (!answer) throw unusable(`${program} gave no user name and secret for ${host}`);
  if (answer.Username === TOKEN_USER) return { identityToken: answer.Secret };
  return answer.Username === '' ? undefined : { username: answer.Username, password: answer.Secret };
}

function parseAnswer(output: string): z.infer<typeof helperAnswerSchema> | undefined {
  try {
    return helperAnswerSchema.parse(JSON.parse(output));
  } catch {
    return undefined;
  }
}

function run(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(unusable(`${program} gave no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MAX_HELPER_ANSWER_BYTES) output += text;
    });
    child.on('error', cause => {
      clearTimeout(timer);
      reject(unusable(`${program} cannot be run: ${cause.message}`));
    });
    child.on('close', status => {
      clearTimeout(timer);
      resolve({ status, output });
    });
    // A helper that ends without reading its input has said what it had to say.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function firstLine(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal.
  const line = (output.trim().split('\n', 1)[0] ?? '').replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return line.slice(0, 200) || 'it said nothing';
}

function unusable(why: string): SlipwayError {
  const operation = 'read docker credentials';
  return new SlipwayError(`${operation}: ${why}.`, { code: 'Unauthenticated', operation });
}
