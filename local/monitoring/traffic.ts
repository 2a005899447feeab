import type { ServedRequest, UsedCpu } from '../dataplane/dataplane.ts';
import { BUCKETS, type Buckets, Distribution, SHARE_BUCKETS } from './distribution.ts';
import {
  APPLICATION_METRICS,
  CPU_METRICS,
  consumerOf,
  kindOf,
  METRICS,
  type MetricDescriptor,
  type Observer,
  observersOf,
} from './metrics.ts';
import type { Labels, Point, SeriesId, TimeSeries } from './time-series.ts';

export interface Sampling {
  /** Length of one point. The real services write one a minute. */
  readonly samplePeriodMs: number;
  /** How long after its end a point can first be read. */
  readonly visibleAfterMs: number;
  /** Points that ended longer ago are forgotten. */
  readonly retentionMs: number;
}

/** The values of one sample period with the same labels; of requests, count and latencies are two readings of it. */
interface Sample {
  readonly startMs: number;
  readonly values: Distribution;
}

interface Stream {
  readonly resource: SeriesId['resource'];
  readonly metricLabels: Labels;
  /** Oldest first. */
  samples: Sample[];
}

/** What was measured, as the time series that Cloud Monitoring would have. */
export abstract class Measurements {
  readonly #sampling: Sampling;
  readonly #metrics: ReadonlyMap<string, MetricDescriptor>;
  readonly #buckets: Buckets;
  readonly #streams = new Map<string, Stream>();

  constructor(sampling: Sampling, metrics: ReadonlyMap<string, MetricDescriptor>, buckets: Buckets) {
    this.#sampling = sampling;
    this.#metrics = metrics;
    this.#buckets = buckets;
  }

  protected add(observer: Observer, atMs: number, value: number): void {
    const { samplePeriodMs } = this.#sampling;
    const key = JSON.stringify(observer);
    const stream = this.#streams.get(key) ?? { ...observer, samples: [] };
    this.#streams.set(key, stream);
    this.#sample(stream, Math.floor(atMs / samplePeriodMs) * samplePeriodMs).values.add(value);
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
    const descriptor = this.#metrics.get(type);
    if (!descriptor) return [];
    const found: TimeSeries[] = [];
    for (const { resource, metricLabels, samples } of this.#streams.values()) {
      const id = { metric: { type, labels: metricLabels }, resource };
      if (resource.type !== descriptor.resource || !matches(id)) continue;
      const points = this.#points(samples, descriptor, interval);
      if (points.length === 0) continue;
      found.push({
        ...id,
        metricKind: kindOf(descriptor),
        valueType: descriptor.valueType,
        unit: descriptor.unit,
        points,
      });
    }
    return found;
  }

  #points(
    samples: readonly Sample[],
    descriptor: MetricDescriptor,
    { afterMs, untilMs }: { readonly afterMs: number; readonly untilMs: number },
  ): TimeSeries['points'] {
    const points: Point[] = [];
    const isGauge = kindOf(descriptor) === 'GAUGE';
    for (const { startMs, values } of newestFirst(samples)) {
      const endMs = startMs + this.#sampling.samplePeriodMs;
      if (endMs <= afterMs) break;
      const value = readingOf(values, descriptor);
      if (endMs <= untilMs) points.push({ startMs: isGauge ? endMs : startMs, endMs, value });
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
    const sample = { startMs, values: new Distribution(this.#buckets) };
    const oldestMs = startMs - this.#sampling.retentionMs;
    stream.samples = [...stream.samples.filter(known => known.startMs > oldestMs), sample].sort(
      (a, b) => a.startMs - b.startMs,
    );
    return sample;
  }
}

/** What the data plane served. */
export class Traffic extends Measurements {
  constructor(sampling: Sampling) {
    super(sampling, new Map([...METRICS, ...APPLICATION_METRICS]), BUCKETS);
  }

  record({ by, status, latencyMs, atMs }: ServedRequest): void {
    for (const observer of observersOf(by, status)) this.add(observer, atMs, latencyMs);
  }
}

/** What the data plane used of its CPUs. */
export class Usage extends Measurements {
  constructor(sampling: Sampling) {
    super(sampling, CPU_METRICS, SHARE_BUCKETS);
  }

  record(used: UsedCpu): void {
    this.add(consumerOf(used), used.atMs, used.share);
  }
}

function readingOf(values: Distribution, { valueType }: MetricDescriptor): Point['value'] {
  if (valueType === 'DISTRIBUTION') return values;
  return valueType === 'DOUBLE' ? values.mean : values.count;
}

/** Without a copy: a stream may hold a day, and most readers want minutes. */
function* newestFirst(samples: readonly Sample[]): Generator<Sample> {
  for (let index = samples.length - 1; index >= 0; index--) {
    const sample = samples[index];
    if (sample) yield sample;
  }
}
