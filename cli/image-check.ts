import { SlipwayError } from '../functions/errors.ts';
import type { Authorities } from '../functions/image/authorities.ts';
import { imageOf, parseReference, type Reference } from '../functions/image/reference.ts';
import { type Verdict, type VerifyRules, verifyImage } from '../functions/image/verify.ts';
import type { Terminal } from './output.ts';
import { withProgress } from './progress.ts';
import { openRegistry } from './registry.ts';

/** The longest wait for one answer of a registry, as in the functions. */
const ANSWER_TIMEOUT_MS = 10_000;

export interface CheckOptions {
  readonly insecure?: boolean | undefined;
  /** For everything together. */
  readonly timeoutMs: number;
}

export interface ImageCheck {
  readonly digest: string;
  /** One for each of the rules, in their order. */
  readonly verdicts: readonly Verdict[];
}

export function referenceOf(text: string): Reference {
  const reference = parseReference(text);
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference;
}

/**
 * Checks an image in its registry by one set of rules after another.
 *
 * @throws SlipwayError when that cannot be told: no such tag, no answer, no access, not in time
 */
export async function checkImage(
  reference: Reference,
  rules: readonly VerifyRules[],
  options: CheckOptions,
  terminal: Terminal,
): Promise<ImageCheck> {
  const image = imageOf(reference);
  const { registry, progress, close } = openRegistry(
    {
      host: reference.host,
      insecure: options.insecure ?? false,
      timeoutMs: Math.min(ANSWER_TIMEOUT_MS, options.timeoutMs),
    },
    terminal.env,
  );
  async function check(): Promise<ImageCheck> {
    const digest = reference.digest ?? (await registry.manifest(image, reference.tag ?? 'latest')).digest;
    const authorities = rules.some(asksGoogle) ? await googleAuthorities(terminal.env) : undefined;
    const verdicts: Verdict[] = [];
    for (const one of rules) verdicts.push(await verifyImage(registry, image, digest, one, authorities));
    return { digest, verdicts };
  }
  try {
    return await withProgress(
      terminal,
      () => `reading ${image}: ${progress()}`,
      () => inTime(check(), options.timeoutMs, `check ${image}`),
    );
  } finally {
    close();
  }
}

function asksGoogle({ vulnerabilities, binaryAuthorization }: VerifyRules): boolean {
  return vulnerabilities !== undefined || binaryAuthorization !== undefined;
}

async function googleAuthorities(env: NodeJS.ProcessEnv): Promise<Authorities> {
  const { dependenciesFrom } = await import('../functions/dependencies.ts');
  return dependenciesFrom({ GOOGLE_CLOUD_PROJECT: '', ...env }).authorities();
}

async function inTime<T>(work: Promise<T>, timeoutMs: number, operation: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `${operation}: not done within ${timeoutMs / 1000} s; --timeout allows more.`;
      reject(new SlipwayError(message, { code: 'DeadlineExceeded', operation }));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
