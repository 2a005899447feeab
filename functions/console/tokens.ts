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

/** Tokens of both kinds live for an hour at most. */
const MAX_LIFETIME_SECONDS = 3600;

export function googleTokens(urls: KeyUrls = {}, nowMs: () => number = Date.now): Tokens {
  const client = new OAuth2Client({
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

/** The keys; fetched anew when they are old, or do not have the one that is asked for. */
type FindKeys = (keyId: string) => Promise<Keys>;

const FRESH_MS = 3_600_000;
/** Anybody can make up key ids: they must not make the console fetch all the time. */
const REST_MS = 60_000;

function keysFrom(fetchKeys: () => Promise<Keys>, nowMs: () => number): FindKeys {
  let known: { readonly keys: Promise<Keys>; readonly sinceMs: number } | undefined;
  return async keyId => {
    const ageMs = known ? nowMs() - known.sinceMs : Number.POSITIVE_INFINITY;
    const isMissing = known !== undefined && ageMs >= REST_MS && !Object.hasOwn(await known.keys, keyId);
    if (!known || ageMs >= FRESH_MS || isMissing) {
      const keys = calling('fetch the public keys', fetchKeys);
      const fetched = { keys, sinceMs: nowMs() };
      known = fetched;
      keys.catch(() => {
        if (known === fetched) known = undefined;
      });
    }
    return known.keys;
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
