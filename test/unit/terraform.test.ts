import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Firestore, Query } from '@google-cloud/firestore';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { SERVICE_LABEL } from '../../functions/handlers/slo-alert.ts';
import { ALERT_POLICIES } from '../../functions/rollout/alerts.ts';
import { commandSchema } from '../../functions/rollout/commands.ts';
import { parsePolicy } from '../../functions/rollout/policy.ts';
import { readSettings } from '../../functions/settings.ts';
import { firestoreStore } from '../../functions/store/firestore.ts';
import { VirtualClock } from '../../local/clock.ts';
import { createSlos } from '../../local/example-slos.ts';
import { FUNCTION_NAMES, type FunctionName, type Functions } from '../../local/functions/functions.ts';
import { serve } from '../../local/http.ts';
import { monitoringApi } from '../../local/monitoring/http.ts';
import { PROJECT } from '../../local/names.ts';
import { PubSubCore } from '../../local/pubsub/core.ts';
import { createTopics, topicName } from '../../local/wiring.ts';
import { world as monitoring } from './local/monitoring/world.ts';

/** What Terraform, the local cloud and the code all say lies in *.tf.json, which both Terraform and this test read. */

const ROOT = resolve(import.meta.dirname, '../..');
const TERRAFORM = join(ROOT, 'terraform');

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function locals<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  const file = z.object({ locals: z.unknown() }).parse(JSON.parse(read(`terraform/modules/${path}`)));
  return schema.parse(file.locals);
}

const messaging = locals(
  'platform/messaging.tf.json',
  z.object({
    subscribers: z.record(z.string(), z.string().nullable()),
    dead_letter_topic: z.string(),
    max_delivery_attempts: z.number(),
    ack_deadline_seconds: z.number(),
    minimum_backoff: z.string(),
    maximum_backoff: z.string(),
    patient: z.record(z.string(), z.string()),
  }),
);

const orchestrator = locals(
  'orchestrator/functions.tf.json',
  z.object({
    functions: z.record(
      z.string(),
      z.object({
        id: z.string(),
        concurrency: z.number(),
        timeout_seconds: z.number(),
        grants: z.array(z.string()),
      }),
    ),
    environment: z.record(z.string(), z.string()),
    workflow_environment: z.record(z.string(), z.string()),
  }),
);

const alerts = locals(
  'slo/alerts.tf.json',
  z.object({ alert_policies: z.array(z.unknown()), service_label: z.string() }),
);

describe('the functions', () => {
  test('are those that the code registers', () => {
    const registered = [...read('functions/index.ts').matchAll(/^(?:onMessage|http)\('(\w+)'/gm)].map(
      ([, name]) => name,
    );
    expect(Object.keys(orchestrator.functions).sort()).toEqual(registered.sort());
    expect(registered).toEqual([...FUNCTION_NAMES].sort());
  });

  test('get every variable that the settings are read from, and no other', () => {
    const asked = new Set<string>();
    const env = new Proxy({}, { get: (_, name) => void asked.add(String(name)) });
    expect(() => readSettings(env)).toThrow('GOOGLE_CLOUD_PROJECT');
    expect(Object.keys(orchestrator.environment).sort()).toEqual([...asked].sort());
  });

  test('have done with a message before Pub/Sub stops listening', () => {
    for (const name of Object.values(messaging.subscribers)) {
      if (name === null) continue;
      const timeout = orchestrator.functions[name]?.timeout_seconds;
      expect(timeout, name).toBeLessThanOrEqual(messaging.ack_deadline_seconds);
    }
  });

  test('run activities of one wave side by side, since each instance keeps its writes in a queue', () => {
    expect(orchestrator.functions['activity']?.concurrency).toBeGreaterThan(1);
  });
});

/** What a function reaches the world with → the grant that this takes. `policy`, `nowMs` and `log` take none. */
const GRANT_OF: Readonly<Record<string, string>> = {
  store: 'records',
  publish: 'events',
  launch: 'executions',
  isAlive: 'executions',
  poke: 'executions',
  registry: 'images',
  authorities: 'images',
  target: 'targets',
  preflightGke: 'targets',
  loadBalancer: 'load_balancers',
  measure: 'metrics',
  signals: 'metrics',
  sendCommand: 'commands',
  secret: 'secrets',
};

/** Of functions that change no records: the grant that is enough for them. */
const ONLY_READS: Readonly<Record<string, string>> = { console: 'records_read' };

/** In a file that the function imports, but not on its way: it imports a constant, or asks for no action. */
const NOT_CALLED: Readonly<Record<string, readonly string[]>> = {
  deadLetter: ['executions', 'metrics', 'targets'],
  sloAlert: ['targets'],
  notify: ['events', 'executions', 'records'],
};

describe('the grants', () => {
  test.each(Object.entries(orchestrator.functions))(
    'of %s are what its code calls',
    (name, { id, grants }) => {
      const used = new Set<string>();
      for (const file of importedFrom(`functions/handlers/${id}.ts`)) {
        for (const part of partsUsedIn(read(file))) {
          const grant = part === 'store' ? (ONLY_READS[name] ?? GRANT_OF[part]) : GRANT_OF[part];
          if (grant !== undefined) used.add(grant);
        }
      }
      const expected = [...used].filter(grant => !NOT_CALLED[name]?.includes(grant));
      expect([...grants].sort()).toEqual(expected.sort());
    },
  );

  test.each(Object.keys(ONLY_READS))('of %s are to read records, which is all that its code does', name => {
    const id = orchestrator.functions[name]?.id;
    for (const file of importedFrom(`functions/handlers/${id}.ts`)) {
      expect(read(file), file).not.toMatch(/\b(?:store|deps\.store\(\))\)?\.transact\(/);
    }
  });
});

/** `deps.part`, and `{ part } = deps`. */
function partsUsedIn(text: string): string[] {
  const named = [...text.matchAll(/\bdeps\.(\w+)/g)].map(([, part = '']) => part);
  const taken = [...text.matchAll(/const \{([^}]*)\} = deps\b/g)].flatMap(([, parts = '']) =>
    parts.split(','),
  );
  return [...named, ...taken.map(part => part.split(':')[0]?.trim() ?? '')];
}

/** The file and all that it imports, but for types and what dependencies.ts builds. */
function importedFrom(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, names = '', path = ''] of read(file).matchAll(/^import ([^;]*?) from '(\.[^']+)';/gms)) {
    if (!names.startsWith('type ')) importedFrom(relative(ROOT, resolve(ROOT, dirname(file), path)), seen);
  }
  return seen;
}

describe('the workflows', () => {
  test.each(['rollout', 'rollback'])('of %s get every variable that they ask for, and no other', workflow => {
    const asked = [...read(`workflows/${workflow}.yaml`).matchAll(/sys\.get_env\("(\w+)"/g)]
      .map(([, name]) => name)
      // These are there without being set.
      .filter(name => !name?.startsWith('GOOGLE_CLOUD_'));
    expect(Object.keys(orchestrator.workflow_environment)).toEqual([...new Set(asked)]);
  });

  test('give an activity the time that the function has', () => {
    const [, seconds] = /timeout: (\d+)/.exec(read('workflows/rollout.yaml')) ?? [];
    expect(orchestrator.functions['activity']?.timeout_seconds).toBe(Number(seconds));
  });
});

describe('names', () => {
  function sourcesBelow(folder: string): string[] {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    return files.filter(file => file.endsWith('.ts')).map(file => read(join(folder, file)));
  }
  const code = ['functions', 'cli'].flatMap(sourcesBelow).join('\n');

  test('of topics in the code are those of topics that there are', () => {
    const named = new Set(
      [...code.matchAll(/(?:TOPIC|topic|\bdeps,|default\(|\?\?|fallback:)[^'\n]{0,8}'([a-z]+(?:-[a-z]+)*)'/g)]
        .map(([, name = '']) => name)
        .filter(name => /^(?:gcr|.*-(?:commands|alerts|events|letters))$/.test(name)),
    );
    expect([...named].sort()).toEqual(Object.keys(messaging.subscribers).sort());
    expect(orchestrator.environment['SLIPWAY_EVENTS_TOPIC']).toBe('rollout-events');
  });

  test('of the workflows are what the functions start', () => {
    expect(orchestrator.environment).toMatchObject({
      SLIPWAY_ROLLOUT_WORKFLOW: `\${local.workflows.rollout}`,
      SLIPWAY_ROLLBACK_WORKFLOW: `\${local.workflows.rollback}`,
    });
  });

  test('of scopes: the one that leaves it to IAM, everywhere, and the one that says who asks', () => {
    const terraform = readdirSync(TERRAFORM, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.tf'))
      .map(file => read(`terraform/${file}`));
    const scopes = [...`${code}\n${terraform.join('\n')}`.matchAll(/googleapis\.com\/auth\/([\w.-]+)/g)];
    expect(new Set(scopes.map(([, scope]) => scope))).toEqual(new Set(['cloud-platform', 'userinfo.email']));
  });

  test.each(['rollout', 'rollback'])(
    'of callers: %s signs its calls for the URL that it calls, as the function wants it',
    workflow => {
      // Without an audience of its own a token is for the URL.
      expect(read(`workflows/${workflow}.yaml`)).toMatch(
        /url: \$\{sys\.get_env\("ACTIVITY_URL"\)\}\n\s+auth: \{type: OIDC\}\n/,
      );
      expect(orchestrator.workflow_environment['ACTIVITY_URL']).toBe(`\${local.urls.activity}`);
    },
  );
});

describe('messages', () => {
  const clock = new VirtualClock();
  const pubsub = new PubSubCore({ clock, deliver: async () => 204 });
  createTopics(pubsub, functionsAt('https://function.test'));
  const subscriptions = pubsub.listSubscriptions(PROJECT);

  test('have the topics of the local cloud', () => {
    const topics = pubsub.listTopics(PROJECT).map(({ name }) => name);
    expect(Object.keys(messaging.subscribers).map(topicName).sort()).toEqual(topics.sort());
  });

  test('are pushed to the same functions by subscriptions of the same names', () => {
    const pushed = Object.entries(messaging.subscribers).filter(([, name]) => name !== null);
    const names = pushed.map(([topic, name]) => `projects/${PROJECT}/subscriptions/${topic}-${name}`);
    expect(names.sort()).toEqual(subscriptions.map(({ name }) => name).sort());
  });

  test('come again, and end as dead letters, as they do in the local cloud', () => {
    for (const subscription of subscriptions) {
      expect(subscription).toMatchObject({
        ackDeadlineSeconds: messaging.ack_deadline_seconds,
        retryPolicy: {
          minimumBackoff: messaging.minimum_backoff,
          maximumBackoff:
            messaging.patient[subscription.topic.replace(topicName(''), '')] ?? messaging.maximum_backoff,
        },
      });
      if (subscription.topic === topicName(messaging.dead_letter_topic)) {
        expect(subscription.deadLetterPolicy).toBeUndefined();
      } else {
        expect(subscription.deadLetterPolicy).toEqual({
          deadLetterTopic: topicName(messaging.dead_letter_topic),
          maxDeliveryAttempts: messaging.max_delivery_attempts,
        });
      }
    }
  });
});

function functionsAt(url: string): Functions {
  const urls = Object.fromEntries(FUNCTION_NAMES.map(name => [name, url])) as Record<FunctionName, string>;
  const never = () => Promise.reject(new Error('nothing runs here'));
  return { urls, lastLines: () => [], crash: never, restart: never, stop: never };
}

describe('Firestore', () => {
  const { indexes, ttl_field, ttl_collections, unindexed } = locals(
    'platform/firestore.tf.json',
    z.object({
      indexes: z.array(z.object({ collection: z.string(), fields: z.array(z.string()) })),
      ttl_field: z.string(),
      ttl_collections: z.array(z.string()),
      unindexed: z.record(z.string(), z.array(z.string())),
    }),
  );
  const [, asksFor = ''] = /\/\*\*\n \* One collection per kind([\s\S]*?)\*\//.exec(
    read('functions/store/firestore.ts'),
  ) ?? [''];

  test('has the composite indexes that the store asks for', () => {
    const asked = [...asksFor.matchAll(/^ \* {3}(\S.*)$/gm)].map(([, fields]) => fields?.split(', '));
    expect(asked).toHaveLength(3);
    expect(indexes.map(({ fields }) => fields)).toEqual(asked);
    expect(new Set(indexes.map(({ collection }) => collection))).toEqual(new Set(['rollouts']));
  });

  test('has one for each query that the store makes, and no other', async () => {
    const firestore = new Firestore({ projectId: PROJECT });
    const store = firestoreStore(firestore);
    const asked: Query[] = [];
    vi.spyOn(Query.prototype, 'get').mockImplementation(async function (this: Query) {
      asked.push(this);
      throw new Error('nobody answers here');
    });
    const page = { limit: 100 };
    for (const service of [undefined, 'hello']) {
      for (const phases of [[], ['Healthy' as const]]) {
        await store
          .list('rollout', { ...page, phases, ...(service ? { service } : {}) })
          .catch(() => undefined);
      }
    }
    await store.list('service', { ...page, after: 'hello' }).catch(() => undefined);
    await store.list('deadMessage', page).catch(() => undefined);
    vi.restoreAllMocks();
    await firestore.terminate();

    expect(asked).toHaveLength(6);
    const needed = asked.map(indexOf).filter(({ fields }) => fields.length > 1);
    expect(needed).toHaveLength(indexes.length);
    expect(needed).toEqual(expect.arrayContaining(indexes));
    const read = asked.flatMap(query => indexOf(query).fields.map(field => field.split(' ')[0]));
    expect(
      Object.values(unindexed)
        .flat()
        .concat(ttl_field)
        .filter(field => read.includes(field)),
    ).toEqual([]);
  });

  test('deletes what has expired, and indexes nothing that no query reads', () => {
    const quoted = (text: string | undefined) =>
      [...(text ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name);
    const [, fields, rollouts] = /No query reads (.*?) of (`rollouts`)/s.exec(asksFor) ?? [];
    const [, texts, deadMessages] = /nor(?:\n \*)? (`\w+`) of (`deadMessages`)/.exec(asksFor) ?? [];
    expect(quoted(rollouts).concat(quoted(deadMessages))).toEqual(Object.keys(unindexed));
    expect(unindexed).toEqual({ rollouts: quoted(fields), deadMessages: quoted(texts) });
    const [, field, collections] = /(`\w+`) is the TTL field of ([^;]*);/.exec(asksFor) ?? [];
    expect([quoted(field), quoted(collections)]).toEqual([[ttl_field], ttl_collections]);
  });
});

const FIELD = z.object({ formattedName: z.string() });
const QUERY = z.object({
  _queryOptions: z.object({
    filters: z.array(z.object({ field: FIELD })),
    fieldOrders: z.array(z.object({ field: FIELD, direction: z.string() })),
    collectionId: z.string(),
  }),
});

/** What Firestore needs to answer a query, https://firebase.google.com/docs/firestore/query-data/index-overview. */
function indexOf(query: Query) {
  const { filters, fieldOrders, collectionId } = QUERY.parse(query)._queryOptions;
  const ways: Readonly<Record<string, string>> = { DESCENDING: 'DESC', ASCENDING: 'ASC' };
  return {
    collection: collectionId,
    fields: [
      ...filters.map(({ field }) => `${field.formattedName} ASC`),
      ...fieldOrders.map(({ field, direction }) => `${field.formattedName} ${ways[direction]}`),
    ],
  };
}

describe('alerts', () => {
  test('have the numbers that the code reckons with', () => {
    expect(alerts.alert_policies).toEqual(ALERT_POLICIES);
  });

  test('name the service by the label that the function looks for', () => {
    expect(alerts.service_label).toBe(SERVICE_LABEL);
  });

  test('count the requests that the local cloud counts', async () => {
    const { filters } = locals(
      'slo/filters.tf.json',
      z.object({ filters: z.record(z.string(), z.record(z.string(), z.string())) }),
    );
    const { core } = monitoring();
    const api = await serve(monitoringApi(core));
    try {
      const latency = { thresholdMs: 500, target: 95 };
      await createSlos(api.url, { availability: 99, latency, windowSeconds: 300 });
    } finally {
      core.stop();
      await api.close();
    }
    const filter = (way: string, of: string) =>
      filters[way]?.[of]?.replaceAll('NAMESPACE', 'default').replaceAll('SERVICE', 'hello');
    const made = new Map(core.slos.list(`projects/${PROJECT}/services/hello`).map(slo => [slo.name, slo]));
    const sliOf = (id: string) =>
      made.get(`projects/${PROJECT}/services/hello/serviceLevelObjectives/${id}`)?.serviceLevelIndicator;
    const guards = core.policies.list(`projects/${PROJECT}`).flatMap(({ conditions }) => conditions);
    for (const way of Object.keys(filters)) {
      expect(sliOf(`${way}-availability`)).toMatchObject({
        requestBased: {
          goodTotalRatio: {
            goodServiceFilter: filter(way, 'good'),
            totalServiceFilter: filter(way, 'requests'),
          },
        },
      });
      expect(sliOf(`${way}-latency`)).toMatchObject({
        requestBased: { distributionCut: { distributionFilter: filter(way, 'latencies') } },
      });
      expect(
        guards.some(({ conditionThreshold }) => conditionThreshold?.filter === filter(way, 'requests')),
      ).toBe(true);
    }
    expect(made.size).toBe(2 * Object.keys(filters).length);
  });
});

test('commands in the README are commands', () => {
  const given = [...read('terraform/README.md').matchAll(/publish rollout-commands --message='(.*)'/g)];
  expect(given).not.toHaveLength(0);
  for (const [, message = ''] of given) expect(commandSchema.parse(JSON.parse(message))).toBeDefined();
});

describe('the examples', () => {
  const folders = [...readdirSync(join(TERRAFORM, 'examples')).map(name => `examples/${name}`), 'tests'];

  test.each(folders)('have a policy file that is valid: %s', folder => {
    const file = `terraform/${folder}/rollouts.yaml`;
    expect(parsePolicy(read(file).replaceAll('PROJECT', 'my-project'), file)).toMatchObject({ ok: true });
  });
});
