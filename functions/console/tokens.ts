import { type Certificates, OAuth2Client } from 'google-auth-library';
import { calling } from '../google/errors.ts';

/** Who a signed token is about. Both throw SlipwayError when the public keys cannot be had. */
export interface Tokens {
  /** Of Identity-Aware Proxy. https://cloud.google.com/iap/docs/signed-headers-howto */
  ofIap(assertion: string, audience: string): Promise<Claims>;
  /** A Google ID token. */
  ofGoogle(token: string, audience: string): Promise<Claims>;
}

export type Claims =
  | { readonly ok: true; readonly email: string | undefined; readonly isVerified: boolean }
  | { readonly ok: false; readonly why: string };

/** Where the public keys are, when they are not where Google has them: JSON objects of key id → PEM. */
export interface KeyUrls {
  readonly iap?: string;
  readonly google?: string;
}

const IAP_ISSUERS = ['https://cloud.google.com/iap'];
const GOOGLE_ISSUERS = ['https://accounts.google.com', 'accounts.google.com'];

/** Tokens of both kinds live for an hour at most; this machine's clock may be late. */
const MAX_LIFETIME_SECONDS = 3600 + 300;

/** The library itself waits for ever. */
const TIMEOUT_MS = 3000;

export function googleTokens(
  urls: KeyUrls = {},
  nowMs: () => number = Date.now,
  timeoutMs = TIMEOUT_MS,
): Tokens {
  const client = new OAuth2Client({
    transporterOptions: { timeout: timeoutMs },
    endpoints: {
      ...(urls.iap ? { oauth2IapPublicKeyUrl: urls.iap } : {}),
      ...(urls.google ? { oauth2FederatedSignonPemCertsUrl: urls.google } : {}),
    },
  });
  const iapKeys = keysFrom(async () => (await client.getIapPublicKeys()).pubkeys, nowMs);
  const googleKeys = keysFrom(async () => (await client.getFederatedSignonCertsAsync()).certs, nowMs);
  return {
    ofIap: (assertion, audience) => verify(client, assertion, iapKeys, IAP_ISSUERS, audience),
    ofGoogle: (token, audience) => verify(client, token, googleKeys, GOOGLE_ISSUERS, audience),
  };
}

type Keys = Readonly<Certificates>;

/**
 * The keys; fetched anew when they are old, or do not have the one that is asked for. While that fails, those that are
 * known are good for a day: nobody is locked out because Google's key server is away for a moment.
 */
type FindKeys = (keyId: string) => Promise<Keys>;

const FRESH_MS = 3_600_000;
const MOST_AGE_MS = 24 * 3_600_000;
/** Anybody can make up key ids: they must not make the console fetch all the time. */
const REST_MS = 60_000;

interface Known {
  readonly keys: Keys;
  readonly sinceMs: number;
}

function keysFrom(fetchKeys: () => Promise<Keys>, nowMs: () => number): FindKeys {
  let known: Known | undefined;
  let triedMs = Number.NEGATIVE_INFINITY;
  /** For all who need them at the same time. */
  let fetching: Promise<Known> | undefined;

  async function fetchAnew(): Promise<Known> {
    triedMs = nowMs();
    try {
      known = { keys: await calling('fetch the public keys', fetchKeys), sinceMs: triedMs };
      return known;
    } finally {
      fetching = undefined;
    }
  }

  return async keyId => {
    const before = known;
    if (before) {
      const isGood = nowMs() - before.sinceMs < FRESH_MS && Object.hasOwn(before.keys, keyId);
      const isTried = !fetching && nowMs() - triedMs < REST_MS;
      if (isGood || isTried) return before.keys;
    }
    fetching ??= fetchAnew();
    try {
      return (await fetching).keys;
    } catch (error) {
      if (before && nowMs() - before.sinceMs < MOST_AGE_MS) return before.keys;
      throw error;
    }
  };
}

async function verify(
  client: OAuth2Client,
  token: string,
  findKeys: FindKeys,
  issuers: string[],
  audience: string,
): Promise<Claims> {
  const keyId = keyIdOf(token);
  if (keyId === undefined) return { ok: false, why: 'it is no signed token' };
  const keys = { ...(await findKeys(keyId)) };
  try {
    const ticket = await client.verifySignedJwtWithCertsAsync(
      token,
      keys,
      audience,
      issuers,
      MAX_LIFETIME_SECONDS,
    );
    const { email, email_verified } = ticket.getPayload() ?? {};
    return { ok: true, email, isVerified: email_verified === true };
  } catch (error) {
    return { ok: false, why: reasonOf(error) };
  }
}

function keyIdOf(token: string): string | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
    const isNamed = typeof header === 'object' && header !== null && 'kid' in header;
    return isNamed && typeof header.kid === 'string' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

/** The library's own words hold the whole token, which is nobody else's business. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^Token used too late/, 'it has expired'],
  [/^Token used too early/, 'it is not valid yet'],
  [/^Expiration time too far/, 'it is valid for longer than an hour'],
  [/^Invalid issuer/, 'somebody else issued it'],
  [/^Wrong recipient/, 'it is for another audience than SLIPWAY_CONSOLE_IDENTITY says'],
  [/^No pem found/, 'it is signed with a key that is not known'],
];

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : '';
  return REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? 'its signature does not verify';
}
