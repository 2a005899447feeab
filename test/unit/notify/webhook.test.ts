import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { signedHeaders } from '../../../functions/notify/webhook.ts';
import { parsePolicy } from '../../../functions/rollout/policy.ts';
import { TEMPLATE_VARIABLES } from '../../../functions/rollout/template.ts';
import { START_MS } from '../../worlds.ts';
import { someNews } from './world.ts';

const PAGE = readFileSync(new URL('../../../docs/notifications.md', import.meta.url), 'utf8');

function blocksOf(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`^ *\`\`\`${language}\n(.*?)^ *\`\`\``, 'gms'))].map(
    ([, code = '']) => code,
  );
}

const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_KEY = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const NEWS = someNews('RolledBack', 'Rolled back hello v1: ünïcode');
const NOW_SECONDS = START_MS / 1000;

type Verify = (
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  secret: string,
  nowSeconds: number,
) => boolean;

/** The example of the page, as a reader would use it. */
async function verifyOfThePage(): Promise<Verify> {
  const [code = ''] = blocksOf('js');
  const module: unknown = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  if (typeof module !== 'object' || module === null || !('isFromSlipway' in module)) {
    throw new Error('docs/notifications.md has no isFromSlipway');
  }
  return module.isFromSlipway as Verify;
}

describe('a signature', () => {
  const body = Buffer.from(NEWS.body);

  test('is in the three headers of Standard Webhooks', () => {
    const headers = signedHeaders(NEWS, KEY, START_MS);
    expect(headers['webhook-id']).toMatch(/^evt_[0-9a-f]{32}$/);
    expect(headers['webhook-timestamp']).toBe(String(NOW_SECONDS));
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
  });

  test('is checked by docs/notifications.md as the specification does it: its own test vector passes', async () => {
    const verify = await verifyOfThePage();
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    expect(verify(headers, Buffer.from('{"test": 2432232314}'), secret, 1614265330)).toBe(true);
  });

  test('passes the check of docs/notifications.md, and nothing else does', async () => {
    const verify = await verifyOfThePage();
    const headers = signedHeaders(NEWS, KEY, START_MS);
    expect(verify(headers, body, KEY, NOW_SECONDS)).toBe(true);
    expect(verify(headers, Buffer.from(NEWS.body.replace('v1', 'v2')), KEY, NOW_SECONDS)).toBe(false);
    expect(verify({ ...headers, 'webhook-id': 'evt_other' }, body, KEY, NOW_SECONDS)).toBe(false);
    expect(verify(headers, body, OTHER_KEY, NOW_SECONDS)).toBe(false);
    expect(verify(headers, body, KEY, NOW_SECONDS + 301)).toBe(false);
    expect(verify({}, body, KEY, NOW_SECONDS)).toBe(false);
  });

  test('is there once for each key while receivers change over', async () => {
    const verify = await verifyOfThePage();
    const headers = signedHeaders(NEWS, `${KEY}\n${OTHER_KEY}`, START_MS);
    expect(verify(headers, body, KEY, NOW_SECONDS)).toBe(true);
    expect(verify(headers, body, OTHER_KEY, NOW_SECONDS)).toBe(true);
  });

  test('has the same id for the same event, and another for any other', () => {
    const id = (change: object) => signedHeaders({ ...NEWS, ...change }, KEY, START_MS)['webhook-id'];
    expect(signedHeaders(NEWS, KEY, START_MS + 60_000)['webhook-id']).toBe(id({}));
    expect(id({ id: 'hello-2' })).not.toBe(id({}));
    expect(id({ source: '//slipway.dev/projects/other/services/hello' })).not.toBe(id({}));
  });

  test('is not made with a key that can be guessed, which the error does not repeat', () => {
    expect(() => signedHeaders(NEWS, 'hunter2', START_MS)).toThrow(
      /at least 24 bytes, found 7; make one with: echo "whsec_/,
    );
    expect(() => signedHeaders(NEWS, 'hunter2', START_MS)).not.toThrow(/hunter2/);
  });
});

describe('docs/notifications.md', () => {
  test.each(blocksOf('yaml'))('has a policy that is one: %s', yaml => {
    const indent = /^ */.exec(yaml)?.[0].length ?? 0;
    const policy = yaml.replace(new RegExp(`^ {${indent}}`, 'gm'), '');
    expect(parsePolicy(`services: []\n${policy}`, 'rollouts.yaml')).toMatchObject({ ok: true });
  });

  test('names every variable of a template', () => {
    const section = PAGE.slice(PAGE.indexOf('### Templates'), PAGE.indexOf('## Webhooks'));
    for (const name of TEMPLATE_VARIABLES) expect(section).toContain(`\`${name}\``);
  });
});
