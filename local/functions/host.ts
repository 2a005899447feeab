/**
 * Serves the functions named on the command line as NAME:PORT (0 for any free port), in this order, with the functions
 * framework's own server: what Cloud Functions does with one container each. The environment is that of the functions.
 */
import '../../functions/index.ts';
import { setTimeout } from 'node:timers/promises';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { listen } from '../http.ts';

/** Below the ports that systems give to connections: what listens here finds its port free when it starts again. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** How often a port is tried that somebody has: another one each time, or the wanted one once more. */
const MOST_ATTEMPTS = 100;
const REST_MS = 100;

for (const place of process.argv.slice(2)) {
  const [name = '', port] = place.split(':');
  await serve(name, Number(port));
}

async function serve(name: string, wanted: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const port = wanted || FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      await listen(getTestServer(name), port);
      return;
    } catch (error) {
      if (attempt === MOST_ATTEMPTS || !isTaken(error)) throw error;
      if (wanted) await setTimeout(REST_MS);
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
