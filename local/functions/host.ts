/**
 * Serves the functions named on the command line as NAME:PORT (0 for any free port), in this order, with the functions
 * framework's own server: what Cloud Functions does with one container each. The environment is that of the functions.
 * With `--folder FOLDER` they are those that `npm run build` wrote there.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { listen } from '../http.ts';
import { isTaken, somePort } from './ports.ts';

/** How often a port is tried that somebody has: another one each time, or the wanted one once more. */
const MOST_ATTEMPTS = 100;
const REST_MS = 100;

const { values, positionals } = parseArgs({
  options: { folder: { type: 'string' } },
  allowPositionals: true,
});
if (values.folder === undefined) await import('../../functions/index.ts');
else await import(pathToFileURL(join(values.folder, 'index.js')).href);

for (const place of positionals) {
  const [name = '', port] = place.split(':');
  await serve(name, Number(port));
}

async function serve(name: string, wanted: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted || somePort();
    try {
      await listen(getTestServer(name), port);
      return;
    } catch (error) {
      if (attempt === MOST_ATTEMPTS || !isTaken(error)) throw error;
      if (wanted) await setTimeout(REST_MS);
    }
  }
}
