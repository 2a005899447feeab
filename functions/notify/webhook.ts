import { createHash, createHmac } from 'node:crypto';
import { SlipwayError } from '../errors.ts';
import type { News } from './news.ts';

/** Standard Webhooks asks for 24 to 64 bytes; a longer key is no weaker. */
const LEAST_KEY_BYTES = 24;

/**
 * Headers by which the receiver knows who sent it, https://www.standardwebhooks.com: `webhook-id` is the same whenever
 * the same event is sent again, and the signature covers it, the time and the body.
 *
 * @param secrets one, or several with white space in between while receivers change over: one signature for each
 * @throws SlipwayError `InvalidArgument`
 */
export function signedHeaders(
  { source, id, body }: Pick<News, 'source' | 'id' | 'body'>,
  secrets: string,
  nowMs: number,
): Record<string, string> {
  const webhookId = `evt_${createHash('sha256').update(`${source}\n${id}`).digest('hex').slice(0, 32)}`;
  const timestamp = String(Math.floor(nowMs / 1000));
  const signed = `${webhookId}.${timestamp}.${body}`;
  const signatures = keysOf(secrets).map(
    key => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
  );
  return {
    'webhook-id': webhookId,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}

function keysOf(secrets: string): Buffer[] {
  const keys = secrets
    .split(/\s+/)
    .map(secret =>
      secret.startsWith('whsec_')
        ? Buffer.from(secret.slice('whsec_'.length), 'base64')
        : Buffer.from(secret),
    );
  const shortest = Math.min(...keys.map(({ length }) => length));
  if (shortest >= LEAST_KEY_BYTES) return keys;
  const operation = 'sign the event';
  const message = `${operation}: expected a signing secret of at least ${LEAST_KEY_BYTES} bytes, found ${shortest}; make one with: echo "whsec_$(openssl rand -base64 32)"`;
  throw new SlipwayError(message, { code: 'InvalidArgument', operation });
}
