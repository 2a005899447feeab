import type { Terminal } from './output.ts';

const AFTER_MS = 1000;
const EVERY_MS = 200;

/** Says on a terminal what is going on as soon as it takes longer than a second. */
export async function withProgress<T>(
  { canRedraw, err }: Pick<Terminal, 'canRedraw' | 'err'>,
  describe: () => string,
  work: () => Promise<T>,
): Promise<T> {
  if (!canRedraw) return work();
  const sinceMs = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    const waitedMs = performance.now() - sinceMs;
    if (waitedMs < AFTER_MS) return;
    isShown = true;
    err(`\r\u001b[K${describe()}, ${Math.floor(waitedMs / 1000)} s`);
  }, EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (isShown) err('\r\u001b[K');
  }
}
