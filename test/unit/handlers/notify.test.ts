import { afterEach, describe, expect, test } from 'vitest';
import { type ErrorCode, SlipwayError } from '../../../functions/errors.ts';
import { notify } from '../../../functions/handlers/notify.ts';
import { Notifier } from '../../../functions/notify/notifier.ts';
import { type Post, postByFetch } from '../../../functions/notify/post.ts';
import { messageEvent } from '../../../functions/rollout/cdevents.ts';
import type { Destination } from '../../../functions/rollout/notifications.ts';
import { currentScope, within } from '../../../functions/telemetry/scope.ts';
import { newTrace } from '../../../functions/telemetry/trace-context.ts';
import type { HttpReply } from '../../../local/http.ts';
import { envelopeSchema } from '../../cdevents/shape.ts';
import { aService, START_MS } from '../../worlds.ts';
import {
  A_ROLLOUT,
  aDestination,
  anEvent,
  aReceiver,
  chatSchema,
  published,
  type Receiver,
  slackSchema,
  someNews,
} from '../notify/world.ts';
import { anOffice, type Office } from './office.ts';

const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const receivers: Receiver[] = [];
afterEach(async () => {
  await Promise.all(receivers.splice(0).map(receiver => receiver.close()));
});

async function listen(...answers: readonly HttpReply[]): Promise<Receiver> {
  const receiver = await aReceiver(...answers);
  receivers.push(receiver);
  return receiver;
}

/** An office whose policy has these notifications; a secret holds a URL, or there is none. */
function anOfficeThatTells(
  notifications: readonly Destination[],
  secrets: Readonly<Record<string, string>> = {},
): Office {
  return anOffice({
    policy: async () => ({ services: [aService()], notifications }),
    secret: async name => {
      const found = secrets[name];
      if (found !== undefined) return found;
      throw new SlipwayError(`read the secret ${name}: no such file`, {
        code: 'NotFound',
        operation: 'read the secret',
      });
    },
  });
}

function aPush(body: string) {
  return {
    id: 'm1',
    specversion: '1.0',
    type: 'google.cloud.pubsub.topic.v1.messagePublished',
    source: '//pubsub.googleapis.com/projects/acme/topics/rollout-events',
    data: { message: { data: Buffer.from(body).toString('base64'), messageId: 'm1' } },
  };
}

const ROLLED_BACK = anEvent('RolledBack', 'Rolled back hello v1: too many errors');
const SECRET_PATH = '/services/T0/B0/s3cr3t';

describe('an event', () => {
  test('does nothing without notifications in the policy', async () => {
    const office = anOffice();
    await notify(office.deps, aPush(ROLLED_BACK));
    expect(office.logged).toEqual([]);
  });

  test('goes to everyone who wants it, in the way of each', async () => {
    const [slack, chat, webhook, other] = [await listen(), await listen(), await listen(), await listen()];
    const office = anOfficeThatTells(
      [
        aDestination({ name: 'slack', slack: { secret: 'slack' } }),
        aDestination({ name: 'chat', googleChat: { secret: 'chat' }, services: ['he*'] }),
        aDestination({ name: 'hook', webhook: { url: `${webhook.url}/in`, signingSecret: 'key' } }),
        aDestination({ name: 'other', slack: { secret: 'other' }, services: ['payments'] }),
        aDestination({ name: 'quiet', slack: { secret: 'other' }, reasons: ['RolloutCompleted'] }),
      ],
      {
        slack: slack.url + SECRET_PATH,
        chat: `${chat.url}/v1/spaces/A/messages?key=k&token=t`,
        key: KEY,
        other: other.url,
      },
    );
    await notify(office.deps, aPush(ROLLED_BACK));
    const [toSlack, toChat, toWebhook] = [slack, chat, webhook].map(({ requests }) => requests[0]);
    expect(slackSchema.parse(JSON.parse(String(toSlack?.body))).text).toContain('hello v1: Rolled back');
    expect(chatSchema.parse(JSON.parse(String(toChat?.body))).thread.threadKey).toBe(A_ROLLOUT.id);
    expect(toChat?.query.get('messageReplyOption')).toBe('REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD');
    expect(toChat?.query.get('token')).toBe('t');
    expect(String(toWebhook?.body)).toBe(ROLLED_BACK);
    expect(envelopeSchema.safeParse(JSON.parse(String(toWebhook?.body))).success).toBe(true);
    expect(toWebhook?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(toWebhook?.headers['webhook-signature']).toMatch(/^v1,/);
    expect(other.requests).toEqual([]);
  });

  test('that one destination cannot be told of goes to the others, and is not delivered again', async () => {
    const [gone, good] = [await listen({ status: 404, body: 'no_service' }), await listen()];
    const office = anOfficeThatTells(
      [
        aDestination({ name: 'missing', slack: { secret: 'nowhere' } }),
        aDestination({ name: 'unsafe', slack: { secret: 'unsafe' } }),
        aDestination({ name: 'gone', slack: { secret: 'gone' } }),
        aDestination({ name: 'good', slack: { secret: 'good' } }),
      ],
      { unsafe: 'http://example.dev/s3cr3t', gone: gone.url + SECRET_PATH, good: good.url + SECRET_PATH },
    );
    await notify(office.deps, aPush(ROLLED_BACK));
    await notify(office.deps, aPush(ROLLED_BACK));
    expect([gone.requests.length, good.requests.length]).toEqual([1, 1]);
    const log = office.logged.join('\n');
    expect(log).toContain('missing cannot be told: read the secret nowhere: no such file');
    expect(log).toContain('unsafe cannot be told: read the secret unsafe: expected an https URL');
    expect(log).toContain(`gone (${new URL(gone.url).host}) was not told`);
    expect(log).toContain('it answered 404 no_service');
    expect(log).not.toContain('s3cr3t');
    expect(office.logged).toHaveLength(4);
  });

  test('comes again when a destination is not to be reached, and then goes to that one alone', async () => {
    const busy = await listen(
      { status: 429, headers: { 'retry-after': '600' } },
      { status: 200, body: 'ok' },
    );
    const good = await listen();
    const office = anOfficeThatTells(
      [
        aDestination({ name: 'busy', slack: { secret: 'busy' } }),
        aDestination({ name: 'good', slack: { secret: 'good' } }),
      ],
      { busy: busy.url + SECRET_PATH, good: good.url + SECRET_PATH },
    );
    await expect(notify(office.deps, aPush(ROLLED_BACK))).rejects.toThrow(
      /^tell of \S+: not yet busy \(it answered 429\); Pub\/Sub delivers it again$/,
    );
    office.nowMs += 301_000;
    await notify(office.deps, aPush(ROLLED_BACK));
    expect([busy.requests.length, good.requests.length]).toEqual([2, 1]);
    expect(office.logged.join('\n')).not.toContain('s3cr3t');
  });

  test('that is old is not told to people, but to programs', async () => {
    const [slack, webhook] = [await listen(), await listen()];
    const office = anOfficeThatTells(
      [
        aDestination({ name: 'slack', slack: { secret: 'slack' } }),
        aDestination({ name: 'hook', webhook: { secret: 'hook', signingSecret: 'key' } }),
      ],
      { slack: slack.url, hook: webhook.url, key: KEY },
    );
    office.nowMs += 2 * 3_600_000;
    await notify(office.deps, aPush(ROLLED_BACK));
    expect([slack.requests.length, webhook.requests.length]).toEqual([0, 1]);
    expect(office.logged.join('\n')).toMatch(/^slack is not told of \S+: it is 120 min old$/m);
  });

  test.each([
    ['no JSON', 'hello'],
    ['no CloudEvent', '{}'],
    ['no event of Slipway', '{"specversion":"1.0","id":"1","source":"a","type":"b"}'],
  ])('that is %s is logged and acknowledged', async (_, body) => {
    const office = anOfficeThatTells([aDestination({ slack: { secret: 'slack' } })]);
    await notify(office.deps, aPush(body));
    expect(office.logged.join('\n')).toMatch(/^an event makes no sense and is told to nobody: /);
  });

  test('comes again while the policy cannot be read, but not one of an event that was lost', async () => {
    const office = anOffice({
      policy: async () => {
        throw new SlipwayError('rollouts.yaml:1:1: services: expected a list', {
          code: 'InvalidArgument',
          operation: 'read the policy',
        });
      },
    });
    await expect(notify(office.deps, aPush(ROLLED_BACK))).rejects.toThrow('services: expected a list');
    const dead = { id: '8', topic: 'dead-letters', receivedMs: START_MS, problem: 'x', text: ROLLED_BACK };
    await notify(office.deps, aPush(published(messageEvent('deadlettered', 'dead-letters-8', dead))));
  });

  test('comes again while a secret cannot be read', async () => {
    const slack = await listen();
    const answers = [unreadable('Unavailable'), async () => slack.url];
    const office = anOffice({
      policy: async () => ({ services: [], notifications: [aDestination({ slack: { secret: 'slack' } })] }),
      secret: () => (answers.shift() ?? unreadable('NotFound'))(),
    });
    const notifier = aHastyNotifier(office);
    const news = someNews('RolledBack', 'Rolled back');
    expect(await notifier.tell(aDestination({ slack: { secret: 'slack' } }), news)).toEqual({
      kind: 'delivered',
    });
    expect(slack.requests).toHaveLength(1);
  });

  test('is not held for long by a destination that never answers: others wait for the place', async () => {
    const office = anOffice({ secret: async () => 'https://slack.example' });
    const silent: Post = async (_, timeoutMs) => {
      office.nowMs += timeoutMs;
      return { kind: 'failed', why: 'no answer' };
    };
    const news = someNews('RolledBack', 'Rolled back');
    const destination = aDestination({ slack: { secret: 'slack' } });
    expect(await aHastyNotifier(office, silent).tell(destination, news)).toMatchObject({ kind: 'failed' });
    expect(office.nowMs - START_MS).toBeLessThanOrEqual(20_000);
  });

  test('is logged with the ids of its own message, whoever else is told at the same time', async () => {
    const slack = await listen();
    const ids: unknown[] = [];
    const office = anOffice({
      secret: async () => slack.url,
      log: () => ids.push(currentScope()?.fields['messageId']),
    });
    const notifier = aHastyNotifier(office);
    const destination = aDestination({ slack: { secret: 'slack' } });
    await Promise.all(
      ['m1', 'm2', 'm3'].map(messageId =>
        within({ trace: newTrace(), tracer: undefined, span: undefined, fields: { messageId } }, () =>
          notifier.tell(destination, someNews('RolledBack', 'x', { id: messageId })),
        ),
      ),
    );
    expect(ids).toEqual(['m1', 'm2', 'm3']);
  });
});

/** Waiting takes it no time, and the clock goes on by as much. */
function aHastyNotifier(office: Office, post: Post = postByFetch): Notifier {
  return new Notifier({
    ...office.deps,
    post,
    wait: async ms => {
      office.nowMs += ms;
    },
  });
}

function unreadable(code: ErrorCode): () => Promise<never> {
  const operation = 'read the secret slack';
  return async () => {
    throw new SlipwayError(`${operation}: EIO`, { code, operation });
  };
}

describe('a storm of 40 events', () => {
  async function storm(destination: Destination, receiver: Receiver) {
    const office = anOfficeThatTells([], { place: receiver.url, key: KEY });
    const notifier = aHastyNotifier(office);
    const news = Array.from({ length: 40 }, (_, index) =>
      someNews('RolledBack', `message ${index}`, { id: `hello-${index}`, sequence: index }),
    );
    const outcomes = await Promise.all(news.map(one => notifier.tell(destination, one)));
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true);
    return receiver.requests.map(({ body }): unknown => JSON.parse(String(body)));
  }

  test('reaches Slack as a few messages of which the last sums up the rest', async () => {
    const bodies = await storm(aDestination({ slack: { secret: 'place' }, reasons: 'all' }), await listen());
    expect(bodies.map(body => slackSchema.parse(body).text.slice(0, 40))).toEqual([
      '↩ hello v1: Rolled back. message 0',
      '↩ hello v1: Rolled back. message 1',
      '↩ hello v1: Rolled back. message 2',
      'Slipway: 37 Rolled back among 37 messages at once'.slice(0, 40),
    ]);
  });

  test('reaches a webhook one by one', async () => {
    const hook = aDestination({ webhook: { secret: 'place', signingSecret: 'key' }, reasons: 'all' });
    expect(await storm(hook, await listen())).toHaveLength(40);
  });
});
