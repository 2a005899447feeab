import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lookSeconds, pollSeconds } from '../../../functions/rollout/plan.ts';
import { parsePolicy, type Service } from '../../../functions/rollout/policy.ts';
import type { Counts, Part, PartName } from './counts.ts';
import { PRICES, type Priced } from './prices.ts';
import { countOf, sum, times, type Use } from './use.ts';

/** What the local cloud cannot tell. Each is meant to be rather too much. */
export const ASSUMED = {
  gateMinutes: 10,
  /** Until a new revision, or new pods, are ready. */
  readySeconds: 60,
  /** Until a weight or a promotion is confirmed. */
  confirmSeconds: 15,
  /** One call of an API; those of one call of a function are taken to be in a row. */
  apiSeconds: 0.2,
  /** One document read or written. */
  documentSeconds: 0.02,
  /** What rounding up to 100 ms adds to each call of a function. */
  roundingSeconds: 0.05,
  memoryGib: 1,
  /** Cloud Run's own log entry of a request. */
  requestLogBytes: 1000,
  secondsBetweenAlertChecks: 30,
  /** The functions' own images and the bundle. */
  functionImageBytes: 2e9,
} as const;

export const DAYS_A_MONTH = 30;
const SWEEPS_A_MONTH = DAYS_A_MONTH * 24 * 12;

export interface Shape {
  readonly cloudRun: number;
  readonly gke: number;
  readonly waves: number;
}

const POLICY_FILE = fileURLToPath(new URL('../../../rollouts.yaml', import.meta.url));

export function exampleService(): Service {
  const parsed = parsePolicy(readFileSync(POLICY_FILE, 'utf8'), 'rollouts.yaml');
  const [service] = parsed.ok ? parsed.policy.services : [];
  if (!service) throw new Error('rollouts.yaml does not parse, or has no service');
  return service;
}

export function shapeOf({ targets, strategy }: Service): Shape {
  const gke = targets.filter(target => target.gke !== undefined).length;
  return { cloudRun: targets.length - gke, gke, waves: strategy.waves.length };
}

/** Looks of one wave that end no pause. */
export function looksPerWave(service: Service): number {
  const pauses = service.strategy.steps.flatMap(step => ('pause' in step ? [step.pause] : []));
  const minutes = pauses.map(({ duration }) =>
    duration === undefined ? ASSUMED.gateMinutes : duration / 60,
  );
  return minutes.reduce((total, each) => total + Math.ceil((each * 60) / lookSeconds(service)), 0);
}

/** Of one target, between the call that changes it and the one that finds it so. */
export function pollsPerTarget(service: Service): number {
  const every = pollSeconds(service);
  const changes = service.strategy.steps.filter(step => 'setWeight' in step).length + 1;
  return Math.ceil(ASSUMED.readySeconds / every) + changes * Math.ceil(ASSUMED.confirmSeconds / every);
}

export class Model {
  readonly counts: Counts;
  readonly service: Service;

  constructor(counts: Counts, service: Service = exampleService()) {
    this.counts = counts;
    this.service = service;
  }

  part(name: PartName): Part {
    return this.counts.parts[name];
  }

  /** A canary with the example's steps, from the push to Healthy; it also closes the way back of the one before. */
  rollout({ cloudRun, gke, waves }: Shape): Use {
    const polls = pollsPerTarget(this.service);
    return sum([
      this.part('rollout.fixed'),
      times(this.part('rollout.wave'), waves),
      times(this.part('look'), waves * looksPerWave(this.service)),
      times(this.part('rollout.cloudRun'), cloudRun),
      times(this.part('rollout.gke'), gke),
      times(this.part('poll.cloudRun'), cloudRun * polls),
      times(this.part('poll.gke'), gke * polls),
    ]);
  }

  /** Nothing to compare with: no steps. */
  first({ cloudRun, gke, waves }: Shape): Use {
    const polls = Math.ceil(ASSUMED.readySeconds / pollSeconds(this.service));
    return sum([
      this.part('first.fixed'),
      times(this.part('first.wave'), waves),
      times(this.part('first.cloudRun'), cloudRun),
      times(this.part('first.gke'), gke),
      times(this.part('poll.cloudRun'), cloudRun * polls),
      times(this.part('poll.gke'), gke * polls),
    ]);
  }

  /** From the alert to Degraded; what the rollout used until then comes on top. */
  rollback({ cloudRun, gke }: Shape): Use {
    const polls = Math.ceil(ASSUMED.confirmSeconds / pollSeconds(this.service));
    return sum([
      this.part('rollback.fixed'),
      times(this.part('rollback.target'), cloudRun + gke),
      times(this.part('poll.cloudRun'), cloudRun * polls),
      times(this.part('poll.gke'), gke * polls),
      // Records of what failed are deleted in the end; those of Healthy rollouts stay.
      { 'store.delete': 1 },
    ]);
  }

  /** Sweeps alone. */
  idleMonth(services: number): Use {
    return times(
      sum([this.part('sweep.fixed'), times(this.part('sweep.service'), services)]),
      SWEEPS_A_MONTH,
    );
  }

  /**
   * What is there without anything going on, in the units of the prices.
   *
   * @param records how many rollouts are on record
   */
  standing(services: number, records = 0): Use {
    const conditions = services * this.counts.alertConditions;
    const checks = (DAYS_A_MONTH * 86_400) / ASSUMED.secondsBetweenAlertChecks;
    return {
      'alert.conditions': conditions,
      'alert.series': conditions * checks,
      'scheduler.jobs': 1,
      'secret.versions': 1,
      'registry.bytes': ASSUMED.functionImageBytes,
      'store.bytes': records * this.counts.recordBytes,
    };
  }

  /** In the units of the prices. */
  billed(use: Use): Use {
    const calls = countOf(use, 'calls.');
    const documents = (use['store.read'] ?? 0) + (use['store.write'] ?? 0);
    const seconds =
      calls * (this.counts.cpuSecondsPerCall + ASSUMED.roundingSeconds) +
      this.#requests(use) * ASSUMED.apiSeconds +
      documents * ASSUMED.documentSeconds;
    const incoming = ['imagePush', 'command', 'sloAlert'].reduce(
      (total, name) => total + (use[`calls.${name}`] ?? 0),
      0,
    );
    const message = Math.max(1000, this.counts.messageBytes);
    const own = ['steps.internal', 'steps.external', 'store.read', 'store.write', 'store.delete'];
    return {
      ...Object.fromEntries(own.map(name => [name, use[name] ?? 0])),
      'functions.calls': calls,
      'functions.cpu': seconds,
      'functions.memory': seconds * ASSUMED.memoryGib,
      'pubsub.bytes': ((use['pubsub.write'] ?? 0) + incoming) * 2 * message,
      'log.bytes': (use['log.bytes'] ?? 0) + calls * ASSUMED.requestLogBytes,
      'series.read': (use['monitoring.read'] ?? 0) * this.counts.seriesPerRead,
    };
  }

  #requests(use: Use): number {
    const apis = ['run', 'container', 'kubernetes', 'compute', 'monitoring', 'workflowexecutions', 'pubsub'];
    return [...apis, 'registry', 'probe'].reduce((total, api) => total + countOf(use, `${api}.`), 0);
  }
}

/** US dollars. With `isFree` what is free each month is taken off, as if nothing else used it. */
export function usd(billed: Use, isFree = false, only: (name: Priced) => boolean = () => true): number {
  let total = 0;
  for (const [name, { usd: price, per, free }] of Object.entries(PRICES)) {
    if (!isPriced(name) || !only(name)) continue;
    const units = Math.max(0, (billed[name] ?? 0) - (isFree ? free : 0));
    total += (units / per) * price;
  }
  return total;
}

function isPriced(name: string): name is Priced {
  return Object.hasOwn(PRICES, name);
}
