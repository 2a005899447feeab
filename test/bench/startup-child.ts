/**
 * A fresh process that starts as a function does: imports functions/index.ts and, told a function, a path and a body,
 * serves it and posts that to it. Reports to its parent.
 */
import { listen } from '../../local/http.ts';
import { watchPackages } from './loaded-packages.ts';

export interface Startup {
  readonly importMs: number;
  readonly imported: Moment;
  /** After the call; undefined without one. */
  readonly called: (Moment & { readonly callMs: number; readonly status: number }) | undefined;
}

export interface Moment {
  readonly rssMb: number;
  readonly packages: readonly string[];
}

const packages = watchPackages();
const moment = (): Moment => ({ rssMb: process.memoryUsage().rss / 1e6, packages: packages() });

const sinceMs = performance.now();
await import('../../functions/index.ts');
const importMs = performance.now() - sinceMs;
const imported = moment();
const report: Startup = { importMs, imported, called: await call() };
process.send?.(report, () => process.exit());

async function call(): Promise<Startup['called']> {
  const [name, path = '', body = ''] = process.argv.slice(2);
  if (!name) return undefined;
  const { getTestServer } = await import('@google-cloud/functions-framework/testing');
  const server = await listen(getTestServer(name));
  const startedMs = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${server.url}/${path}`, { method: 'POST', headers, body });
  await response.text();
  return { ...moment(), callMs: performance.now() - startedMs, status: response.status };
}
