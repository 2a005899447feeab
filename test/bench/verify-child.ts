import { registryClient } from '../../functions/image/registry.ts';
import { verifyImage } from '../../functions/image/verify.ts';

/** What one verification in a process of its own took. */
export interface ChildRun {
  readonly status: string;
  readonly reasons: readonly string[];
  readonly idleBytes: number;
  readonly peakBytes: number;
  readonly tookMs: number;
}

const [host = '', endpoint = '', digest = '', platform = ''] = process.argv.slice(2);
const registry = registryClient({ mirrors: { [host]: endpoint }, accessToken: async () => undefined });
const verify = (binaries: boolean) =>
  verifyImage(registry, `${host}/acme/hello`, digest, { platforms: [platform], binaries });

// Idle: everything is loaded and was used once, and nothing is being read.
await verify(false);
const idleBytes = process.memoryUsage.rss();
const sinceMs = performance.now();
const verdict = await verify(true);
const run: ChildRun = {
  status: verdict.status,
  reasons: verdict.reasons.map(({ message }) => message),
  idleBytes,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  tookMs: performance.now() - sinceMs,
};
console.log(JSON.stringify(run));
