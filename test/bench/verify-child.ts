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

const [host = '', endpoint = '', digest = '', platforms = ''] = process.argv.slice(2);
// Idle: all modules are loaded, and nothing was asked for yet.
const idleBytes = process.memoryUsage.rss();
const registry = registryClient({ mirrors: { [host]: endpoint }, accessToken: async () => undefined });
const sinceMs = performance.now();
const verdict = await verifyImage(registry, `${host}/acme/hello`, digest, {
  platforms: platforms.split(','),
  binaries: true,
});
const run: ChildRun = {
  status: verdict.status,
  reasons: verdict.reasons.map(({ message }) => message),
  idleBytes,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  tookMs: performance.now() - sinceMs,
};
console.log(JSON.stringify(run));
