import type { ServedRequest } from '../dataplane/dataplane.ts';
import { Distribution } from './distribution.ts';
import { APPLICATION_METRICS, METRICS, type MetricDescriptor, observersOf } from './metrics.ts';
import type { Labels, Point, SeriesId, TimeSeries } from './time-series.ts';

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
    const { samplePeriodMs } = this.#sampling;
    for (const observer of observersOf(by, status)) {
      const key = JSON.stringify(observer);
      const stream = this.#streams.get(key) ?? { ...observer, samples: [] };
      this.#streams.set(key, stream);
      this.#sample(stream, Math.floor(atMs / samplePeriodMs) * samplePeriodMs).latencies.add(latencyMs);
    }
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
    const descriptor = METRICS.get(type) ?? APPLICATION_METRICS.get(type);
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
    const points: Point[] = [];
    for (const { startMs, latencies } of newestFirst(samples)) {
      const endMs = startMs + this.#sampling.samplePeriodMs;
      if (endMs <= afterMs) break;
      const value = valueType === 'DISTRIBUTION' ? latencies : latencies.count;
      if (endMs <= untilMs) points.push({ startMs, endMs, value });
    }
    return points;
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

/** Without a copy: a stream may hold a day, and most readers want minutes. */
function* newestFirst(samples: readonly Sample[]): Generator<Sample> {
  for (let index = samples.length - 1; index >= 0; index--) {
    const sample = samples[index];
    if (sample) yield sample;
  }
}
