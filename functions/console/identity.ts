import { type Asked, Refusal } from './http.ts';
import type { Claims, Tokens } from './tokens.ts';

/** Says who asks: an e-mail address. Throws a {@link Refusal} when nobody can be believed. */
export type Identify = (asked: Asked) => Promise<string>;

const EXPECTED =
  'Set SLIPWAY_CONSOLE_IDENTITY to iap:AUDIENCE (behind Identity-Aware Proxy), idToken:AUDIENCE (callers with an ID token of their own) or local:NAME (on a laptop).';

/** Whether the console is on a laptop, beside a cloud that fits on it. */
export function isLocal(setting: string): boolean {
  return setting.startsWith('local:');
}

/** @param setting SLIPWAY_CONSOLE_IDENTITY */
export function identifyBy(setting: string, tokens: Tokens): Identify {
  const [, kind, value = ''] = /^(iap|idToken|local):(.+)$/s.exec(setting) ?? [];
  switch (kind) {
    case 'iap':
      return asked => byIap(asked, value, tokens);
    case 'idToken':
      return asked => byIdToken(asked, value, tokens);
    case 'local':
      return async asked => byPlace(asked, value);
    default:
      return async () => {
        throw new Refusal(
          401,
          setting === ''
            ? `The console believes nobody yet. ${EXPECTED}`
            : `The console believes nobody, because SLIPWAY_CONSOLE_IDENTITY makes no sense. ${EXPECTED}`,
        );
      };
  }
}

const IAP_HEADER = 'x-goog-iap-jwt-assertion';

async function byIap(asked: Asked, audience: string, tokens: Tokens): Promise<string> {
  const assertion = asked.header(IAP_HEADER);
  if (!assertion) {
    throw new Refusal(
      401,
      `Nobody is signed in: the header ${IAP_HEADER} is missing. Come through the load balancer that has Identity-Aware Proxy in front.`,
    );
  }
  return named(believed(await checked(() => tokens.ofIap(assertion, audience))).email);
}

/** Cloud Run takes the signature away from the token that it has checked itself. */
const UNSIGNED = '.SIGNATURE_REMOVED_BY_GOOGLE';

async function byIdToken(asked: Asked, audience: string, tokens: Tokens): Promise<string> {
  const [, token] = /^Bearer (\S+)$/i.exec(asked.header('authorization') ?? '') ?? [];
  if (!token) {
    throw new Refusal(401, 'Nobody is signed in: send a Google ID token as "authorization: Bearer TOKEN".');
  }
  if (token.endsWith(UNSIGNED)) {
    throw new Refusal(
      401,
      'Cloud Run has taken the signature off the token. Send the token twice: in x-serverless-authorization for Cloud Run, in authorization for the console.',
    );
  }
  const { email, isVerified } = believed(await checked(() => tokens.ofGoogle(token, audience)));
  if (!isVerified) throw new Refusal(401, 'The ID token names no verified e-mail address.');
  return named(email);
}

/** Whoever is not known yet is not told what went wrong inside. */
async function checked(check: () => Promise<Claims>): Promise<Claims> {
  try {
    return await check();
  } catch (cause) {
    const message = 'The console cannot check who you are just now; try again in a minute.';
    throw new Refusal(503, message, { 'retry-after': '60' }, cause);
  }
}

function believed(claims: Claims): Claims & { readonly ok: true } {
  if (claims.ok) return claims;
  throw new Refusal(401, `The token that says who you are is not believed: ${claims.why}.`);
}

function named(email: string | undefined): string {
  if (email) return email;
  throw new Refusal(401, 'The token names nobody: expected an e-mail address in it.');
}

/**
 * Whoever is at this machine. The name in the address bar counts too: a page of somebody else's domain that resolves to
 * this machine would be same-origin with the console otherwise.
 */
function byPlace(asked: Asked, name: string): string {
  const isForwarded = ['x-forwarded-for', 'x-forwarded-host', 'forwarded'].some(asked.header);
  if (isLoopbackAddress(asked.peer) && isLoopbackHost(asked.header('host')) && !isForwarded) return name;
  throw new Refusal(
    401,
    'SLIPWAY_CONSOLE_IDENTITY=local:NAME believes callers on this machine only: open http://127.0.0.1:PORT/ here, without a proxy in between.',
  );
}

function isLoopbackAddress(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/i, '') ?? '';
  return plain === '::1' || /^127\.\d+\.\d+\.\d+$/.test(plain);
}

export function isLoopbackHost(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host ?? '');
}
