import type { GoogleClients } from '../google/clients.ts';
import type { Block } from '../rollout/observed.ts';
import { readMonitoring } from './monitoring.ts';
import { hasQueries, readPrometheus } from './prometheus.ts';
import { blocksOf, type MetricTarget, spansOf, type Window } from './reading.ts';

export type MetricClients = Pick<GoogleClients, 'metrics' | 'accessToken' | 'monitoringUrl'>;

export interface BlockOptions {
  /** Answers that take longer are bad too. PromQL says itself what is bad. */
  readonly latencyThresholdMs?: number | undefined;
  /** Length of a block; at least the 60 s of one point (the default), or canary and stable meet in few blocks. */
  readonly periodMs?: number | undefined;
}

export interface Reading {
  /** By the target's name; oldest first, periods without a point are left out. */
  readonly targets: Readonly<Record<string, readonly Block[]>>;
  /** End of the newest point of the window; undefined when there was none. Missing metrics are not zero errors. */
  readonly newestPointMs: number | undefined;
  /** What Prometheus had to say about answers that it gave all the same. */
  readonly warnings: readonly string[];
}

/**
 * Counts the requests of canary and stable on each target, block by block, with one request per project and metric type
 * for the whole wave, and its further pages; one more of each when the window is longer than two hours, whose older
 * blocks are ten minutes long.
 *
 * Points become readable up to three minutes late. So a block grows until then, and is only then final; the newest may
 * not even have ended. A point that was late is in the next reading.
 */
export async function readBlocks(
  clients: MetricClients,
  targets: readonly MetricTarget[],
  window: Window,
  { latencyThresholdMs, periodMs = 60_000 }: BlockOptions = {},
): Promise<Reading> {
  const spans = spansOf(window, periodMs);
  const [monitored, asked] = await Promise.all([
    readMonitoring(
      clients,
      targets.filter(target => !hasQueries(target)),
      spans,
      latencyThresholdMs,
    ),
    readPrometheus(clients, targets.filter(hasQueries), spans),
  ]);
  const samples = [...monitored, ...asked.samples];
  const byTarget = Map.groupBy(samples, ({ target }) => target);
  return {
    targets: Object.fromEntries(
      targets.map(({ name }) => [name, blocksOf(byTarget.get(name) ?? [], periodMs)]),
    ),
    newestPointMs: samples.reduce<number | undefined>(
      (newest, { endMs }) => Math.max(newest ?? endMs, endMs),
      undefined,
    ),
    warnings: asked.warnings,
  };
}
