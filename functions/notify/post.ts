/** What came of one message to one destination. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** Nothing changes that but a person: a URL that is gone, a secret that is missing. */
  | { readonly kind: 'refused'; readonly why: string }
  /** May work later. */
  | { readonly kind: 'failed'; readonly why: string; readonly retryAfterMs?: number | undefined };

export interface Letter {
  /** A secret: it is in no log and no error. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Post = (letter: Letter, timeoutMs: number, nowMs: number) => Promise<Outcome>;

/** Sends one POST, which follows no redirect: whoever the body is for was named in the policy. */
export const postByFetch: Post = async ({ url, headers, body }, timeoutMs, nowMs) => {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
    if (response.ok) {
      // It has the message, whatever becomes of the rest of its answer.
      await response.body?.cancel().catch(() => undefined);
      return { kind: 'delivered' };
    }
    return refusal(response, await firstWord(response), nowMs);
  } catch (error) {
    return { kind: 'failed', why: whyNot(error, timeoutMs) };
  }
};

/** Request Timeout, Too Early, Too Many Requests. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

function refusal({ status, headers }: Response, said: string, nowMs: number): Outcome {
  const why = `it answered ${status}${said ? ` ${said}` : ''}`;
  if (PASSING.has(status) || status >= 500) {
    return { kind: 'failed', why, retryAfterMs: retryAfterMs(headers.get('retry-after'), nowMs) };
  }
  const isRedirect = status >= 300 && status < 400;
  return { kind: 'refused', why: isRedirect ? `${why}, a redirect; those are not followed` : why };
}

const MOST_BYTES = 2000;

/** Slack answers with one word, Google Chat with a status; of anything else nothing is quoted: it may repeat the URL. */
async function firstWord(response: Response): Promise<string> {
  const text = await beginning(response);
  return /^\s*([a-z_]{3,60})\s*$/.exec(text)?.[1] ?? /"status":\s*"([A-Z_]{3,60})"/.exec(text)?.[1] ?? '';
}

async function beginning({ body }: Response): Promise<string> {
  let text = '';
  if (!body) return text;
  const decoder = new TextDecoder();
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MOST_BYTES) break;
    }
  } catch {
    // The status says enough.
  }
  return text;
}

/** Seconds or a date, RFC 9110 10.2.3. */
function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return ms > 0 ? ms : undefined;
}

/** Never fetch's own words, which may have the URL in them. */
function whyNot(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return `no connection${typeof code === 'string' ? `: ${code}` : ''}`;
}
