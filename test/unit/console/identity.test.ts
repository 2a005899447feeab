import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Refusal } from '../../../functions/console/http.ts';
import { identifyBy } from '../../../functions/console/identity.ts';
import { googleTokens, type Tokens } from '../../../functions/console/tokens.ts';
import { type HttpServer, serve } from '../../../local/http.ts';
import { type Asking, asks } from './asking.ts';

const AUDIENCE = '/projects/1/global/backendServices/2';
const SERVICE = 'https://console.example.com';

const keys = {
  iap: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  google: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  rotated: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

/** What the key server has, and how often it was asked. */
let published: Record<string, KeyObject>;
let fetches = 0;
let isDown = false;
let isSilent = false;
let server: HttpServer;
let tokens: Tokens;
let nowMs = Date.now();

beforeAll(async () => {
  server = await serve(({ path }) => {
    fetches++;
    if (isSilent) return new Promise(() => {});
    // Of the answers that fail one that is not tried again for seconds.
    if (isDown) return { status: 404, body: 'down' };
    const known = path === '/iap' ? published : { rsa: keys.google.publicKey };
    const pems = Object.entries(known).map(([id, key]) => [id, key.export({ type: 'spki', format: 'pem' })]);
    return { status: 200, headers: { 'cache-control': 'max-age=3600' }, body: Object.fromEntries(pems) };
  });
});
afterAll(() => server.close());
beforeEach(() => {
  published = { one: keys.iap.publicKey };
  fetches = 0;
  isDown = false;
  isSilent = false;
  nowMs = Date.now();
  tokens = googleTokens({ iap: `${server.url}/iap`, google: `${server.url}/google` }, () => nowMs);
});

type Claims = Readonly<Record<string, unknown>>;

function claims(change: Claims = {}): Claims {
  const seconds = Math.floor(Date.now() / 1000);
  return {
    iss: 'https://cloud.google.com/iap',
    aud: AUDIENCE,
    iat: seconds - 10,
    exp: seconds + 590,
    email: 'ann@example.com',
    ...change,
  };
}

interface Signing {
  readonly key?: KeyObject;
  readonly header?: Claims;
}

function jwt(payload: Claims, { key = keys.iap.privateKey, header = {} }: Signing = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', kid: 'one', ...header })}.${encode(payload)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

function byIap(assertion: string): Promise<string> {
  const identify = identifyBy(`iap:${AUDIENCE}`, tokens);
  return identify(asks('/', { peer: '10.0.0.1', headers: { 'x-goog-iap-jwt-assertion': assertion } }));
}

async function refusalOf(answer: Promise<string>): Promise<Refusal> {
  const error = await answer.catch((refusal: unknown) => refusal);
  if (error instanceof Refusal) return error;
  throw new Error(`expected a refusal, found ${String(error)}`);
}

describe('behind Identity-Aware Proxy', () => {
  test('the e-mail address of its signed header counts', async () => {
    expect(await byIap(jwt(claims()))).toBe('ann@example.com');
  });

  test.each([
    ['that has expired', () => jwt(claims({ iat: 1_000_000_000, exp: 1_000_000_600 })), 'it has expired'],
    [
      'of tomorrow',
      () => jwt(claims({ iat: Date.now() / 1000 + 3000, exp: Date.now() / 1000 + 3500 })),
      'not valid yet',
    ],
    ['for ever', () => jwt(claims({ exp: Date.now() / 1000 + 90_000 })), 'longer than an hour'],
    [
      'for another audience',
      () => jwt(claims({ aud: '/projects/1/global/backendServices/3' })),
      'another audience',
    ],
    ['without an audience', () => jwt(claims({ aud: undefined })), 'another audience'],
    [
      'of another issuer',
      () => jwt(claims({ iss: 'https://accounts.google.com' })),
      'somebody else issued it',
    ],
    ['signed with another key', () => jwt(claims(), { key: keys.rotated.privateKey }), 'signature'],
    [
      'signed with an unknown key',
      () => jwt(claims(), { header: { kid: 'two' } }),
      'a key that is not known',
    ],
    [
      'without a signature',
      () => jwt(claims(), { header: { alg: 'none' } }).replace(/[^.]+$/, ''),
      'signature',
    ],
    [
      'with a key named as no object names its own',
      () => jwt(claims(), { header: { kid: 'toString' } }),
      'not known',
    ],
    [
      'changed after it was signed',
      () => swapped(jwt(claims()), claims({ email: 'eve@example.com' })),
      'signature',
    ],
    ['that is none', () => 'ann@example.com', 'no signed token'],
  ])('a token %s is not believed, and not repeated', async (_what, make, why) => {
    const token = make();
    const { status, message } = await refusalOf(byIap(token));
    expect(status).toBe(401);
    expect(message).toContain(why);
    expect(message).not.toContain(token);
    expect(message).not.toContain('example.com');
  });

  test('a token without an e-mail address names nobody', async () => {
    expect((await refusalOf(byIap(jwt(claims({ email: undefined }))))).message).toContain('names nobody');
  });

  test('without the header nobody is signed in, whatever other headers say', async () => {
    const headers = { 'x-goog-authenticated-user-email': 'accounts.google.com:ann@example.com' };
    const identify = identifyBy(`iap:${AUDIENCE}`, tokens);
    const { status, message } = await refusalOf(identify(asks('/', { headers })));
    expect(status).toBe(401);
    expect(message).toContain('x-goog-iap-jwt-assertion is missing');
  });

  test('the keys are fetched once, and again when they are old or a new one appears', async () => {
    await byIap(jwt(claims()));
    await byIap(jwt(claims()));
    expect(fetches).toBe(1);
    published = { ...published, two: keys.rotated.publicKey };
    const rotated = jwt(claims(), { key: keys.rotated.privateKey, header: { kid: 'two' } });
    await refusalOf(byIap(rotated));
    expect(fetches).toBe(1);
    nowMs += 61_000;
    expect(await byIap(rotated)).toBe('ann@example.com');
    expect(fetches).toBe(2);
    nowMs += 3_600_000;
    await byIap(rotated);
    expect(fetches).toBe(3);
  });

  test('a token of this very second counts although the clock here is late', async () => {
    const seconds = Math.floor(Date.now() / 1000);
    expect(await byIap(jwt(claims({ iat: seconds + 60, exp: seconds + 60 + 3600 })))).toBe('ann@example.com');
  });

  test('a crowd with a key that is made up makes the keys be fetched once', async () => {
    await byIap(jwt(claims()));
    nowMs += 61_000;
    const made = jwt(claims(), { header: { kid: 'made up' } });
    await Promise.all(Array.from({ length: 50 }, () => refusalOf(byIap(made))));
    expect(fetches).toBe(2);
  });

  test('when new keys cannot be had the known ones are good for a day, and new ones are asked for once a minute', async () => {
    await byIap(jwt(claims()));
    isDown = true;
    nowMs += 2 * 3_600_000;
    expect(await byIap(jwt(claims()))).toBe('ann@example.com');
    expect(await byIap(jwt(claims()))).toBe('ann@example.com');
    expect(fetches).toBe(2);
    nowMs += 24 * 3_600_000;
    expect((await refusalOf(byIap(jwt(claims())))).status).toBe(503);
  });

  test('a key server that does not answer is not waited for without end', async () => {
    isSilent = true;
    tokens = googleTokens({ iap: `${server.url}/iap` }, () => nowMs, 20);
    expect((await refusalOf(byIap(jwt(claims())))).status).toBe(503);
  });

  test('when the keys cannot be had nobody is believed, and the next one tries again', async () => {
    isDown = true;
    const { status, message } = await refusalOf(byIap(jwt(claims())));
    expect(status).toBe(503);
    expect(message).not.toContain(server.url);
    isDown = false;
    expect(await byIap(jwt(claims()))).toBe('ann@example.com');
  });
});

/** The header and signature of one token with the claims of another. */
function swapped(token: string, other: Claims): string {
  const [header, , signature] = token.split('.');
  return `${header}.${Buffer.from(JSON.stringify(other)).toString('base64url')}.${signature}`;
}

describe('with an ID token', () => {
  function google(change: Claims = {}): string {
    const payload = claims({
      iss: 'https://accounts.google.com',
      aud: SERVICE,
      email_verified: true,
      ...change,
    });
    return jwt(payload, { key: keys.google.privateKey, header: { alg: 'RS256', kid: 'rsa' } });
  }
  function byToken(authorization: string): Promise<string> {
    return identifyBy(`idToken:${SERVICE}`, tokens)(asks('/', { headers: { authorization } }));
  }

  test('the verified e-mail address counts', async () => {
    expect(await byToken(`Bearer ${google()}`)).toBe('ann@example.com');
  });

  test('an address that nobody verified does not', async () => {
    expect((await refusalOf(byToken(`Bearer ${google({ email_verified: false })}`))).status).toBe(401);
  });

  test('a token of Identity-Aware Proxy does not', async () => {
    expect(
      (await refusalOf(byToken(`Bearer ${google({ iss: 'https://cloud.google.com/iap' })}`))).status,
    ).toBe(401);
  });

  test('one whose signature Cloud Run took away does not, and it is said what to do', async () => {
    const token = google().replace(/[^.]+$/, 'SIGNATURE_REMOVED_BY_GOOGLE');
    const { status, message } = await refusalOf(byToken(`Bearer ${token}`));
    expect(status).toBe(401);
    expect(message).toContain('x-serverless-authorization');
  });

  test('without one nobody is signed in', async () => {
    expect((await refusalOf(byToken('Basic YTpi'))).message).toContain('send a Google ID token');
  });
});

describe('on a laptop', () => {
  function local(asking: Asking): Promise<string> {
    return identifyBy('local:you@localhost', tokens)(asks('/', asking));
  }

  test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
    'a caller from %s is the one who is named',
    async peer => {
      expect(await local({ peer })).toBe('you@localhost');
    },
  );

  test.each(['localhost:8080', '127.0.0.1', '[::1]:8080'])('under the name %s', async host => {
    expect(await local({ headers: { host } })).toBe('you@localhost');
  });

  test.each<[string, Asking]>([
    ['from elsewhere', { peer: '192.168.1.7' }],
    ['from an address that looks like one', { peer: '::ffff:10.127.0.0' }],
    ['by a name of somebody else that leads here', { headers: { host: 'rebound.example.com:8080' } }],
    ['by a name that begins well', { headers: { host: 'localhost.example.com' } }],
    ['through a proxy', { headers: { 'x-forwarded-for': '203.0.113.9' } }],
  ])('a caller %s is nobody', async (_what, asking) => {
    expect((await refusalOf(local(asking))).status).toBe(401);
  });
});

describe('without a setting that makes sense', () => {
  test.each(['', 'iap:', 'everybody', 'local'])(
    '"%s": nobody is believed, and it is said what to set',
    async setting => {
      const { status, message } = await refusalOf(identifyBy(setting, tokens)(asks('/')));
      expect(status).toBe(401);
      expect(message).toContain('Set SLIPWAY_CONSOLE_IDENTITY to iap:AUDIENCE');
    },
  );
});
