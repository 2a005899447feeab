import type { Dependencies } from '../../../functions/dependencies.ts';
import type { RolloutEventMessage } from '../../../functions/google/events.ts';
import type { Rollout, ServiceState } from '../../../functions/rollout/record.ts';
import { readSettings } from '../../../functions/settings.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import type { Store } from '../../../functions/store/store.ts';
import { aService, START_MS } from '../../worlds.ts';

/** All that a handler reaches, with a real store in memory and everything that leaves the function written down. */
export interface Office {
  readonly deps: Dependencies;
  readonly store: Store;
  /** `rollback hello-1`, in order. */
  readonly launched: string[];
  readonly poked: string[];
  readonly published: RolloutEventMessage[];
  readonly logged: string[];
  nowMs: number;
  put(...documents: readonly (Rollout | ServiceState)[]): Promise<void>;
  rollout(id: string): Promise<Rollout>;
  service(): Promise<ServiceState>;
}

export function anOffice(change: Partial<Dependencies> = {}): Office {
  const launched: string[] = [];
  const poked: string[] = [];
  const published: RolloutEventMessage[] = [];
  const logged: string[] = [];
  const store = sqliteStore(':memory:', () => office.nowMs);
  const office: Office = {
    store,
    launched,
    poked,
    published,
    logged,
    nowMs: START_MS,
    deps: {
      store: async () => store,
      policy: async () => ({ services: [aService()], notifications: [] }),
      registry: unexpected('registry'),
      authorities: unexpected('authorities'),
      target: unexpected('target'),
      loadBalancer: unexpected('load balancer'),
      preflightGke: unexpected('cluster'),
      measure: unexpected('metrics'),
      signals: unexpected('signals'),
      launch: async (workflow, rollout) => {
        launched.push(`${workflow} ${rollout}`);
        return `execution-${launched.length}`;
      },
      isAlive: unexpected('execution'),
      poke: async callback => {
        poked.push(callback);
      },
      publish: async message => {
        published.push(message);
      },
      sendCommand: unexpected('topic of commands'),
      secret: unexpected('secret'),
      settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' }),
      nowMs: () => office.nowMs,
      log: (_severity, message) => logged.push(message),
      ...change,
    },
    async put(...documents) {
      await store.transact(async transaction => {
        for (const document of documents) {
          if ('digest' in document) transaction.write('rollout', document.id, document);
          else transaction.write('service', document.name, document);
        }
      });
    },
    async rollout(id) {
      const found = await store.read('rollout', id);
      if (!found) throw new Error(`no rollout ${id}`);
      return found;
    },
    async service() {
      const found = await store.read('service', 'hello');
      if (!found) throw new Error('no service hello');
      return found;
    },
  };
  return office;
}

function unexpected(what: string): () => never {
  return () => {
    throw new Error(`nobody should have asked for the ${what}`);
  };
}

let messages = 0;

/** A message as the functions framework hands it over. */
export function aMessage(topic: string, body: object, publishedMs = START_MS) {
  const data = Buffer.from(JSON.stringify(body)).toString('base64');
  const messageId = `m${++messages}`;
  return {
    id: messageId,
    specversion: '1.0',
    type: 'google.cloud.pubsub.topic.v1.messagePublished',
    source: `//pubsub.googleapis.com/projects/acme/topics/${topic}`,
    data: { message: { data, messageId, publishTime: new Date(publishedMs).toISOString() } },
  };
}

export function anAlert(state: 'open' | 'closed' = 'open', id = '0.a') {
  return aMessage('slo-alerts', {
    version: '1.2',
    incident: {
      incident_id: id,
      state,
      summary: 'burns',
      policy_name: 'rollout-guard',
      policy_user_labels: { slipway_service: 'hello' },
    },
  });
}
