import { beforeEach, describe, expect, test } from 'vitest';
import { giveCommand } from '../../../functions/console/give.ts';
import { perMinute } from '../../../functions/console/rate.ts';
import { newServiceState } from '../../../functions/rollout/record.ts';
import { aService, aWorld, START_MS } from '../../worlds.ts';
import { anOffice, type Office } from '../handlers/office.ts';

const { rollout, service } = aWorld();

let sent: { topic: string; command: object }[];
let logged: object[];
let office: Office;

beforeEach(async () => {
  sent = [];
  logged = [];
  office = anOffice({
    policy: async () => ({
      services: [aService(), aService({ name: 'shop', commandsTopic: 'shop-commands' })],
      notifications: [],
    }),
    sendCommand: async (topic, command) => {
      sent.push({ topic, command });
      return 'm1';
    },
    log: (severity, message, fields) => logged.push({ severity, message, ...fields }),
  });
  await office.put(rollout, service, newServiceState('gone'));
});

const give = (body: unknown) => giveCommand(office.deps, 'ann@example.com', body);

describe('a command', () => {
  test('goes out in the name of who is signed in, with an id of its own', async () => {
    const { id } = await give({
      command: 'abort',
      service: 'hello',
      rollout: rollout.id,
      reason: 'it hurts',
    });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(sent).toEqual([
      {
        topic: 'rollout-commands',
        command: {
          id,
          service: 'hello',
          actor: 'ann@example.com',
          reason: 'it hurts',
          rollout: rollout.id,
          command: 'abort',
        },
      },
    ]);
  });

  test.each([
    [{ command: 'promote full' }, { command: 'promote', full: true }],
    [
      { command: 'promote', gate: 'wave 1 step 2' },
      { command: 'promote', gate: 'wave 1 step 2' },
    ],
    [
      { command: 'drain', target: 'us' },
      { command: 'drain', target: 'us' },
    ],
    [{ command: 'freeze', rollout: rollout.id }, { command: 'freeze' }],
  ])('%j becomes the message %j', async (asked, message) => {
    const { id } = await give({ service: 'hello', ...asked });
    expect(sent[0]?.command).toEqual({ id, service: 'hello', actor: 'ann@example.com', ...message });
  });

  test('goes to the topic that its service takes commands from', async () => {
    await give({ command: 'freeze', service: 'shop' });
    await give({ command: 'abort', service: 'gone' });
    expect(sent.map(({ topic }) => topic)).toEqual(['shop-commands', 'rollout-commands']);
  });

  test('that is sent again with the id that its sender gave it is the same command', async () => {
    const id = '7f0e3a9c-52c3-4b5e-9a39-0d5c7b0c2f11';
    const first = await give({ id, command: 'pause', service: 'hello' });
    expect(await give({ id, command: 'pause', service: 'hello' })).toEqual(first);
    expect(first).toEqual({ id });
    expect(sent[0]).toEqual(sent[1]);
  });

  test('leaves one line in the log: who, what, and of which rollout', async () => {
    const { id } = await give({ command: 'pause', service: 'hello', rollout: rollout.id });
    expect(logged).toEqual([
      expect.objectContaining({
        severity: 'INFO',
        message: `ann@example.com gave the command pause for ${rollout.id}`,
        commandId: id,
        actor: 'ann@example.com',
        rollout: rollout.id,
        service: 'hello',
      }),
    ]);
  });

  test.each<[string, unknown, number]>([
    ['in somebody else’s name', { command: 'abort', service: 'hello', actor: 'eve' }, 400],
    ['with an id that another may have', { command: 'abort', service: 'hello', id: '1' }, 400],
    ['to freeze what the policy has no more', { command: 'freeze', service: 'gone' }, 409],
    ['that there is not', { command: 'rollout', service: 'hello' }, 400],
    ['without a service', { command: 'abort' }, 400],
    ['with a reason without end', { command: 'abort', service: 'hello', reason: 'x'.repeat(501) }, 400],
    ['to drain nothing', { command: 'drain', service: 'hello' }, 400],
    ['that is text', 'abort', 400],
    ['that is nothing', undefined, 400],
    ['for a service nobody knows', { command: 'abort', service: 'nobody' }, 404],
    ['for a rollout nobody knows', { command: 'abort', service: 'hello', rollout: 'hello-0' }, 404],
    ['for a rollout of another service', { command: 'abort', service: 'shop', rollout: rollout.id }, 404],
  ])('%s is refused', async (_what, body, status) => {
    await expect(give(body)).rejects.toMatchObject({ status });
    expect(sent).toEqual([]);
  });
});

test('commands beyond so many a minute are refused, each person for themselves, until there is room again', () => {
  let nowMs = START_MS;
  const rate = perMinute(30, () => nowMs);
  for (let count = 0; count < 30; count++) expect(rate.take('ann')).toBeUndefined();
  expect(rate.take('ann')).toBe(2);
  expect(rate.take('bob')).toBeUndefined();
  nowMs += 2000;
  expect(rate.take('ann')).toBeUndefined();
  expect(rate.take('ann')).toBe(2);
});
