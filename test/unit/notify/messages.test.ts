import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHAT_LIMIT_BYTES, chatBody, chatUrl } from '../../../functions/notify/google-chat.ts';
import type { News } from '../../../functions/notify/news.ts';
import { type Notice, noticeOf } from '../../../functions/notify/notice.ts';
import { slackBody } from '../../../functions/notify/slack.ts';
import { START_MS } from '../../worlds.ts';
import { A_ROLLOUT, chatSchema, slackSchema, someNews } from './world.ts';

const PLACE = { project: 'acme', consoleUrl: 'https://slipway.example' };
const URL_OF_ROLLOUT = `https://slipway.example/rollouts/${A_ROLLOUT.id}`;
const IMAGE = 'example.dev/acme/hello:v1 (sha256:aaaaaaaaaaaa)';

function aNotice(change: Partial<News> = {}, nowMs = START_MS): Notice {
  return noticeOf(someNews('RolledBack', 'Rolled back hello v1: too many errors', change), PLACE, nowMs);
}

describe('a notice', () => {
  test('says service, image, where, why, and links to the console', () => {
    expect(aNotice()).toMatchObject({
      headline: '↩ hello v1: Rolled back',
      why: 'Rolled back hello v1: too many errors',
      image: IMAGE,
      where: '50 % us · 0 % eu',
      foot: `${A_ROLLOUT.id} · Paused · 2026-01-05 09:00:00 UTC`,
      link: { label: 'Open in the console', url: URL_OF_ROLLOUT },
    });
  });

  test('links to the logs where there is no console', () => {
    const { link } = noticeOf(
      someNews('RolloutStarted', 'Started'),
      { project: 'acme', consoleUrl: '' },
      START_MS,
    );
    expect(link.label).toBe('Logs');
    expect(link.url).toContain(encodeURIComponent(`jsonPayload.rollout="${A_ROLLOUT.id}"`));
    expect(link.url).toContain('project=acme');
  });

  test('names the target that it is about', () => {
    expect(aNotice({ target: 'us' }).headline).toBe('↩ hello v1 on us: Rolled back');
  });

  test('says when it comes late', () => {
    expect(aNotice({}, START_MS + 14 * 60_000).foot).toContain('told 14 min late');
    expect(aNotice({}, START_MS + 9 * 60_000).foot).not.toContain('late');
  });

  test('puts targets of one weight together, and of many the first', () => {
    const weights = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`t${index}`, 5]));
    expect(aNotice({ weights }).where).toBe('5 % t0, t1, t2, t3, t4, t5 and 34 more');
  });

  test('of a lost message has a topic and no image', () => {
    const lost = { service: undefined, tag: undefined, image: undefined, rollout: undefined };
    const notice = aNotice({ ...lost, reason: 'MessageDeadLettered', topic: 'gcr', weights: {} });
    expect(notice).toMatchObject({ headline: '⚠ gcr: Message lost', image: undefined, where: undefined });
    expect(notice.link.url).toBe('https://slipway.example/');
  });
});

describe('for Slack', () => {
  test('a message has a fallback text, the image, the traffic and a link', () => {
    const body = slackSchema.parse(slackBody([aNotice()], undefined));
    expect(body.text).toBe('↩ hello v1: Rolled back. Rolled back hello v1: too many errors');
    const text = JSON.stringify(body.blocks);
    for (const part of [IMAGE, '50 % us · 0 % eu', `<${URL_OF_ROLLOUT}|Open in the console>`]) {
      expect(text).toContain(part);
    }
  });

  test('the text of a template goes as its owner wrote it, what is filled in is escaped', () => {
    const template = '<!here> *{{service}}* {{message}} <{{url}}|look>';
    const { blocks } = slackSchema.parse(slackBody([aNotice({ message: '<!channel> & @here' })], template));
    expect(blocks).toEqual([
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          verbatim: true,
          text: `<!here> *hello* &lt;!channel&gt; &amp; @\u200bhere <${URL_OF_ROLLOUT}|look>`,
        },
      },
    ]);
  });

  test('a template that comes to more than Slack takes is cut', () => {
    const template = '{{message}} '.repeat(100);
    slackSchema.parse(slackBody([aNotice({ message: '<'.repeat(900) })], template));
  });
});

test('a template that comes to nothing gives the headline: an empty message is refused', () => {
  expect(slackSchema.parse(slackBody([aNotice()], '{{target}}')).blocks).toHaveLength(1);
  expect(chatSchema.parse(chatBody([aNotice()], '{{target}}', 'x')).text).toBe('↩ hello v1: Rolled back');
});

describe('for Google Chat', () => {
  test('a message has a line of text, a card with image, traffic and a button, and the thread of the rollout', () => {
    const body = chatSchema.parse(chatBody([aNotice()], undefined, A_ROLLOUT.id));
    expect(body.text).toBe('↩ hello v1: Rolled back');
    expect(body.thread.threadKey).toBe(A_ROLLOUT.id);
    expect(body.cardsV2?.[0]?.card.sections[0]?.widgets).toEqual([
      { textParagraph: { text: 'Rolled back hello v1: too many errors' } },
      { decoratedText: { topLabel: 'Image', text: IMAGE, wrapText: true } },
      { decoratedText: { topLabel: 'Traffic', text: '50 % us · 0 % eu', wrapText: true } },
      { textParagraph: { text: `${A_ROLLOUT.id} · Paused · 2026-01-05 09:00:00 UTC` } },
      {
        buttonList: {
          buttons: [{ text: 'Open in the console', onClick: { openLink: { url: URL_OF_ROLLOUT } } }],
        },
      },
    ]);
  });

  test('replies to the thread or begins one, and keeps key and token of the webhook', () => {
    const url = chatUrl(new URL('https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t%3D'));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      key: 'k',
      token: 't=',
      messageReplyOption: 'REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD',
    });
  });

  test('the text of a template goes as its owner wrote it; nobody else calls people', () => {
    const notice = aNotice({ message: '<users/all>' });
    const { text } = chatSchema.parse(chatBody([notice], '<users/all> {{message}}', 'x'));
    expect(text).toBe('<users/all> ‹users/all›');
  });
});

describe('many at once', () => {
  const many = Array.from({ length: 38 }, (_, index) =>
    noticeOf(
      someNews(index === 30 ? 'RestoreFailed' : 'TrafficWeightUpdated', `message ${index}`),
      PLACE,
      START_MS,
    ),
  );

  test('are one message of the worst and the first, with a count of the rest', () => {
    const body = slackSchema.parse(slackBody(many, undefined));
    const text = JSON.stringify(body.blocks);
    expect(body.text).toBe('Slipway: 1 Restore failed among 38 messages at once');
    expect(text).toContain('message 0');
    expect(text).toContain('message 30');
    expect(text).not.toContain('message 9');
    expect(text).toContain('… and 28 more: 28 Weight');
  });

  test('are one card for Google Chat', () => {
    const body = chatSchema.parse(chatBody(many, undefined, 'x'));
    expect(body.text).toBe('Slipway: 1 Restore failed among 38 messages at once');
    expect(body.cardsV2?.[0]?.card.sections[0]?.widgets).toHaveLength(11);
  });

  test('follow the template line by line: whom it calls is called in a storm, too', () => {
    const template = '<!here> *{{title}}* {{message}} <{{url}}|look>';
    const slack = slackSchema.parse(slackBody(many, template));
    const line = `<!here> *Restore failed* message 30 <${URL_OF_ROLLOUT}|look>`;
    expect(textsIn(slack.blocks)).toContain(line);
    expect(chatSchema.parse(chatBody(many, template, 'x')).text.split('\n')).toContain(line);
  });

  test('show a rollback before any number of alerts, and name it in what a phone shows', () => {
    const alerts = Array.from({ length: 20 }, () => someNews('AlertRecorded', 'burns'));
    const storm = [...alerts, someNews('RollingBack', 'too many errors')];
    const body = slackSchema.parse(
      slackBody(
        storm.map(one => noticeOf(one, PLACE, START_MS)),
        undefined,
      ),
    );
    expect(body.text).toBe('Slipway: 1 Rolling back, 20 SLO alert among 21 messages at once');
    expect(JSON.stringify(body.blocks)).toContain('hello v1: Rolling back* too many errors');
  });
});

const NASTY = [
  '<!channel> <!here|x> <@U123> <#C1> @channel @HERE @everyone',
  '<users/all> <https://evil.example|click>',
  '"><script>alert(1)</script><a href="x">',
  'a&amp;b &lt; &#60; &',
  '\u001b[31m\u0007 \u202e gnirts \u2066',
  '😀'.repeat(5000),
  '<&>'.repeat(4000),
  '漢'.repeat(10_000),
  'half \ud83d a character',
  '*bold* _it_ ~no~ `code` ```block```\n> quote\n\n',
  '{{service}} $& %s',
];
const nasty = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 3000 }));
const hostile = fc.record({
  service: nasty,
  tag: nasty,
  image: nasty,
  message: nasty,
  target: nasty,
  phase: nasty,
  rollout: nasty,
  weights: fc.dictionary(nasty, fc.integer({ min: 0, max: 100 }), { maxKeys: 40 }),
});

/** What calls people or leads them somewhere, and is not ours. */
function foreignMarkup(text: string): string[] {
  const ours = /^<https:\/\/slipway\.example\/[^<>|]*\|(?:open|Open in the console)>$/;
  return [...text.matchAll(/<[^>]*>?/g)].map(([found]) => found).filter(found => !ours.test(found));
}

describe('whatever others wrote', () => {
  test('Slack gets within its limits, with no markup but ours and nobody called', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 15 }), entries => {
        const body = slackSchema.parse(
          slackBody(
            entries.map(entry => aNotice(entry)),
            undefined,
          ),
        );
        const texts = textsIn(body);
        for (const text of texts) {
          expect(foreignMarkup(text)).toEqual([]);
          expect(text).not.toMatch(/@(channel|here|everyone)/i);
          expect(text).not.toMatch(/&(?!amp;|lt;|gt;)/);
          expectHarmless(text);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('Google Chat gets within its limits, with no tag but ours and nobody called', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 15 }), entries => {
        const body = chatSchema.parse(
          chatBody(
            entries.map(entry => aNotice(entry)),
            undefined,
            'x',
          ),
        );
        expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThanOrEqual(CHAT_LIMIT_BYTES);
        expect(body.text).not.toMatch(/[<>]/);
        const ours = /<\/?b>|<a href="https:\/\/slipway\.example\/[^"<>]*">open<\/a>/g;
        for (const text of textsIn(body.cardsV2)) {
          if (!text.startsWith('https://')) expect(text.replaceAll(ours, '')).not.toMatch(/[<>]/);
          expectHarmless(text);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('a template never gets another markup than its own, whatever is filled in', () => {
    fc.assert(
      fc.property(hostile, entry => {
        const body = slackSchema.parse(slackBody([aNotice(entry)], '{{service}} {{message}} {{weights}}'));
        for (const text of textsIn(body)) expect(foreignMarkup(text)).toEqual([]);
        const chat = chatSchema.parse(chatBody([aNotice(entry)], '{{service}} {{message}}', 'x'));
        expect(chat.text).not.toMatch(/[<>]/);
      }),
      { numRuns: 60 },
    );
  });
});

function expectHarmless(text: string): void {
  expect(text.isWellFormed()).toBe(true);
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
