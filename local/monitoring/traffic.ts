import type { ServedRequest } from '../dataplane/dataplane.ts';
import { Distribution } from './distribution.ts';
import { METRICS, type MetricDescriptor, resourceOf, responseLabels } from './metrics.ts';
import type { Labels, SeriesId, TimeSeries } from './time-series.ts';

export interface Sampling {
  /** Length of one point. The real services write one a minute. */
  readonly samplePeriodMs: number;
  /** How long after its end a point can first be read. */
  readonly visibleAfterMs: number;
  /** Points that ended longer ago are forgotten. */
  readonly retentionMs: number;
}

/** The requests of one sample period with the same labels; count and latencies are two readings of it. */
interface Sample {
  readonly startMs: number;
  readonly latencies: Distribution;
}

interface Stream {
  readonly resource: SeriesId['resource'];
  readonly metricLabels: Labels;
  /** Oldest first. */
  samples: Sample[];
}

/** What the data plane served, as the time series that Cloud Monitoring would have. */
export class Traffic {
  readonly #sampling: Sampling;
  readonly #streams = new Map<string, Stream>();

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
  }

  record({ by, status, latencyMs, atMs }: ServedRequest): void {
    const resource = resourceOf(by);
    const metricLabels = responseLabels(by, status);
    const key = JSON.stringify([resource, metricLabels]);
    const stream = this.#streams.get(key) ?? { resource, metricLabels, samples: [] };
    this.#streams.set(key, stream);
    const { samplePeriodMs } = this.#sampling;
    this.#sample(stream, Math.floor(atMs / samplePeriodMs) * samplePeriodMs).latencies.add(latencyMs);
  }

  /** The end of the newest point that can be read now, whether there is one or not. */
  horizonMs(nowMs: number): number {
    const { samplePeriodMs, visibleAfterMs } = this.#sampling;
    return Math.floor((nowMs - visibleAfterMs) / samplePeriodMs) * samplePeriodMs;
  }

  /** Points that end after `afterMs` and not after `untilMs`, of all series with any. */
  read(
    type: string,
    matches: (series: SeriesId) => boolean,
    interval: { readonly afterMs: number; readonly untilMs: number },
  ): TimeSeries[] {
    const descriptor = METRICS.get(type);
    if (!descriptor) return [];
    const found: TimeSeries[] = [];
    for (const { resource, metricLabels, samples } of this.#streams.values()) {
      const id = { metric: { type, labels: metricLabels }, resource };
      if (resource.type !== descriptor.resource || !matches(id)) continue;
      const points = this.#points(samples, descriptor, interval);
      if (points.length === 0) continue;
      found.push({
        ...id,
        metricKind: 'DELTA',
        valueType: descriptor.valueType,
        unit: descriptor.unit,
        points,
      });
    }
    return found;
  }

  #points(
    samples: readonly Sample[],
    { valueType }: MetricDescriptor,
    { afterMs, untilMs }: { readonly afterMs: number; readonly untilMs: number },
  ): TimeSeries['points'] {
    return samples
      .map(({ startMs, latencies }) => ({
        startMs,
        endMs: startMs + this.#sampling.samplePeriodMs,
        value: valueType === 'DISTRIBUTION' ? latencies : latencies.count,
      }))
      .filter(({ endMs }) => endMs > afterMs && endMs <= untilMs)
      .reverse();
  }

  #sample(stream: Stream, startMs: number): Sample {
    const last = stream.samples.at(-1);
    if (last?.startMs === startMs) return last;
    if (last && last.startMs > startMs) {
      const late = stream.samples.find(sample => sample.startMs === startMs);
      if (late) return late;
    }
    const sample = { startMs, latencies: new Distribution() };
    const oldestMs = startMs - this.#sampling.retentionMs;
    stream.samples = [...stream.samples.filter(known => known.startMs > oldestMs), sample].sort(
      (a, b) => a.startMs - b.startMs,
    );
    return sample;
  }
}
