import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';

/**
 * The published JSON Schemas of CDEvents, by means of the CDEvents project's SDK for Go, which carries them. Building it
 * needs Go and its module proxy, and a minute the first time: `npm run test:cdevents` does so, and whatever was built
 * once is used by every test run from then on.
 */

const SOURCES = fileURLToPath(new URL('checker', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/slipway', import.meta.url));

const run = promisify(execFile);

/** A file per state of the sources, so that an old one is never taken for the new one. */
function checkerFile(): string {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(`${SOURCES}/${name}`));
  return `${CACHE}/cdevents-${hash.digest('hex').slice(0, 12)}`;
}

/** @returns undefined where it was not built */
export function findChecker(): string | undefined {
  const file = checkerFile();
  return existsSync(file) ? file : undefined;
}

export async function buildChecker(): Promise<string> {
  const file = checkerFile();
  await run('go', ['build', '-o', file, '.'], { cwd: SOURCES, env: { ...process.env, CGO_ENABLED: '0' } });
  return file;
}

/** @returns one line for each event that the published schemas, or the SDK's own rules, refuse */
export async function publishedSchemaProblems(
  checker: string,
  envelopes: readonly unknown[],
): Promise<string[]> {
  const checking = run(checker, { maxBuffer: 64 * 1024 * 1024 });
  checking.child.stdin?.end(JSON.stringify(envelopes));
  const { stdout } = await checking;
  return z.array(z.string()).parse(JSON.parse(stdout));
}
