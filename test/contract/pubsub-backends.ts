import { PubSub } from '@google-cloud/pubsub';
import { PassThroughClient } from 'google-auth-library';
import { test } from 'vitest';
import { googleClients } from '../../functions/google/clients.ts';
import { realClock } from '../../local/clock.ts';
import { serve } from '../../local/http.ts';
import { PubSubCore } from '../../local/pubsub/core.ts';
import { pubsubApi } from '../../local/pubsub/http.ts';
import { deliverByFetch } from '../../local/pubsub/push.ts';
import { findPubSubEmulator, startPubSubEmulator } from './emulators.ts';

/** A Pub/Sub that the official client can be pointed at. */
export interface Backend {
  readonly url: string;
  client(projectId: string): Promise<PubSub> | PubSub;
  close(): Promise<void>;
}

export const LOCAL = 'the local Pub/Sub';

/**
 * The local Pub/Sub, and Google's emulator where it is installed; what was not tested is a skipped test and a line in
 * the output.
 */
export function pubsubBackends(): [name: string, start: () => Promise<Backend>][] {
  const { jar, missing } = findPubSubEmulator();
  console.log(
    jar
      ? `Pub/Sub: the local one and Google’s emulator, ${jar}`
      : `Pub/Sub: the local one alone, as ${missing}`,
  );
  if (missing) test.skip(`Google’s Pub/Sub emulator is not tested here: ${missing}`, () => {});
  return [[LOCAL, startLocal], ...(jar ? [named('Google’s emulator', () => startEmulator(jar))] : [])];
}

function named(name: string, start: () => Promise<Backend>): [string, () => Promise<Backend>] {
  return [name, start];
}

async function startLocal(): Promise<Backend> {
  const core = new PubSubCore({ clock: realClock, deliver: deliverByFetch });
  const server = await serve(pubsubApi(core));
  return {
    url: server.url,
    client: projectId => googleClients({ pubsub: server.url }).pubsub(projectId),
    close() {
      core.stop();
      return server.close();
    },
  };
}

/** By gRPC: its REST front does not know all fields that the client sends. */
async function startEmulator(jar: string): Promise<Backend> {
  const emulator = await startPubSubEmulator(jar);
  const apiEndpoint = new URL(emulator.url).host;
  return {
    ...emulator,
    client: projectId =>
      new PubSub({ projectId, apiEndpoint, emulatorMode: true, authClient: new PassThroughClient() }),
  };
}
