import { createHmac } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type HttpRequest, type HttpServer, serve } from '../../local/http.ts';
import { type Envelope, envelopeSchema } from '../cdevents/shape.ts';
import { aPolicyService, E2eWorld, GATED } from './world.ts';

const SERVICES = [aPolicyService('gate', GATED)];
const KEY = Buffer.alloc(32, 7);

let world: E2eWorld;
let receiver: HttpServer;
const received: HttpRequest[] = [];

beforeAll(async () => {
  receiver = await serve(request => {
    received.push(request);
    return { status: 200, body: 'ok' };
  });
  world = await E2eWorld.open(SERVICES);
  await putSecrets({
    slack: `${receiver.url}/slack`,
    chat: `${receiver.url}/chat?key=k`,
    hook: `${receiver.url}/hook`,
    key: `whsec_${KEY.toString('base64')}`,
  });
  const notifications = [
    { name: 'oncall', slack: { secret: 'slack' }, services: ['gate'] },
    {
      name: 'team',
      googleChat: { secret: 'chat' },
      reasons: ['RolloutStarted', 'RolledBack'],
      services: ['g*'],
    },
    { name: 'audit', webhook: { secret: 'hook', signingSecret: 'key' }, reasons: 'all' },
    { name: 'gone', slack: { secret: 'nowhere' }, reasons: ['RolledBack'] },
  ];
  await world.writePolicy(stringify({ services: SERVICES, notifications }));
});
afterAll(async () => {
  await world.close();
  await receiver.close();
});

async function putSecrets(secrets: Readonly<Record<string, string>>): Promise<void> {
  const folder = world.cloud.env['SLIPWAY_SECRETS'] ?? '';
  await mkdir(folder, { recursive: true });
  for (const [name, value] of Object.entries(secrets)) await writeFile(join(folder, name), `${value}\n`);
}

function bodiesAt(
  path: string,
): { readonly text: string; readonly thread?: { readonly threadKey: string } }[] {
  return received.filter(request => request.path === path).map(({ body }) => JSON.parse(String(body)));
}

async function untilTold(path: string, count: number): Promise<void> {
  await world.eventually(
    () =>
      `${count} messages at ${path}; there are ${bodiesAt(path).length}\n${world.cloud.functions.lastLines().slice(-15).join('\n')}`,
    () => bodiesAt(path).length >= count,
  );
}

/** What a message says before the reason why. */
function headlinesAt(path: string): string[] {
  return bodiesAt(path).map(({ text }) => text.split('. ', 1)[0] ?? '');
}

test('people are told in order of what becomes of rollouts, and programs of everything, signed', async () => {
  await world.push({ service: 'gate', tag: 'v1' });
  await world.until('gate', 'v1');
  await untilTold('/slack', 2);
  await world.push({ service: 'gate', tag: 'v2' });
  await world.until('gate', 'v2', ({ phase }) => phase === 'Paused');
  await untilTold('/slack', 4);
  const reason = '<!channel> it hurts';
  world.publish('rollout-commands', { command: 'abort', service: 'gate', actor: 'ada', reason });
  const { id } = await world.until('gate', 'v2');
  await untilTold('/slack', 6);
  await untilTold('/chat', 3);

  expect(headlinesAt('/slack')).toEqual([
    '▶ gate v1: Started',
    '✔ gate v1: Completed',
    '▶ gate v2: Started',
    '॥ gate v2: Waiting',
    '↩ gate v2: Rolling back',
    '↩ gate v2: Rolled back',
  ]);
  const slack = received.filter(({ path }) => path === '/slack').map(({ body }) => String(body));
  expect(slack.join('\n')).not.toContain('<!channel>');
  expect(slack.at(-1)).toContain(`${world.cloud.env['SLIPWAY_CONSOLE_URL']}/rollouts/${id}`);

  expect(headlinesAt('/chat')).toEqual([
    '▶ gate v1: Started',
    '▶ gate v2: Started',
    '↩ gate v2: Rolled back',
  ]);
  const [first, ...others] = bodiesAt('/chat').map(({ thread }) => thread?.threadKey);
  expect(others).toEqual([id, id]);
  expect(first).not.toBe(id);
  await expectWholeHistoryAt('/hook');
});

/** Every change of every rollout, once, with a signature that holds. */
async function expectWholeHistoryAt(path: string): Promise<void> {
  const rollouts = await world.rollouts('gate');
  const expected = rollouts.flatMap(({ id, history }) => history.map(({ sequence }) => `${id}-${sequence}`));
  await untilTold(path, expected.length);
  const requests = received.filter(request => request.path === path);
  const events = requests.map(({ body }): Envelope => envelopeSchema.parse(JSON.parse(String(body))));
  expect(events.map(({ id }) => id).sort()).toEqual(expected.sort());
  for (const { headers, body } of requests) {
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${String(body)}`;
    const signature = createHmac('sha256', KEY).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
  }
}

test('a secret that is missing is named in the log, and keeps nobody else from being told', async () => {
  await world.eventually(
    () => 'the functions to name the secret',
    () =>
      world.cloud.functions.lastLines().some(line => line.includes('gone cannot be told: read the secret')),
  );
  expect(world.cloud.functions.lastLines().join('\n')).not.toContain('/slack');
});
