import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { lookSeconds, pollSeconds } from '../../../functions/rollout/plan.ts';
import { ASSUMED, type Model, shapeOf } from './model.ts';

const FUNCTIONS_FILE = new URL('../../../terraform/modules/orchestrator/functions.tf.json', import.meta.url);
const functionsSchema = z.object({
  locals: z.object({
    functions: z.record(
      z.string(),
      z.object({ concurrency: z.number(), max_instances: z.number(), timeout_seconds: z.number() }),
    ),
  }),
});

export interface Quota {
  readonly name: string;
  /** As Google, or Terraform here, sets it. */
  readonly value: string;
  readonly bites: string;
  /** How many at once, of what `bites` says; lower bites first. */
  readonly at: number;
  readonly then: string;
}

/** What stands in the way of many services at once, what bites first first. */
export function quotas(model: Model): Quota[] {
  return [...google(model), ...ownInstances(model)].sort((a, b) => a.at - b.at);
}

function google(model: Model): Quota[] {
  const { counts, service } = model;
  const { writesOf } = counts;
  const perMinute = 60 / lookSeconds(service);
  const reads = (model.part('look')['monitoring.read'] ?? 0) * perMinute;
  const inBusiestMinute = writesOf.deploy + writesOf.setWeight;
  const steps = model.part('look')['steps.internal'] ?? 0;
  const stepsADay = (steps + 1) * 24 * 60 * perMinute;
  const writesASecond = (model.part('poll.cloudRun')['store.write'] ?? 0) / pollSeconds(service);
  return [
    {
      name: 'Cloud Run Admin API, writes per minute and region',
      value: '60 (as new projects report)',
      at: Math.floor(60 / inBusiestMinute),
      bites: `services whose canaries are deployed in the same region in the same minute: ${inBusiestMinute} writes each`,
      then: 'activities are refused, rest and ask again until the progress deadline; ask for more, or spread services over projects',
    },
    {
      name: 'Cloud Run Admin API, the same, in a rollback',
      value: '60 (as new projects report)',
      at: Math.floor(60 / writesOf.restore),
      bites: `services that are restored in the same region in the same minute: ${writesOf.restore} write each`,
      then: 'the rest is restored a minute later: ask for more before there are that many',
    },
    {
      name: 'Firestore, writes per second of one document',
      value: '1, sustained; more for short',
      at: Math.floor(1 / writesASecond),
      bites: `targets in one wave while they are polled: ${round(writesASecond)} writes a second each`,
      then: 'writes of one function instance queue and do not collide; make waves smaller, or the progress deadline longer',
    },
    {
      name: 'Workflows, concurrent executions per region',
      value: '10,000',
      at: 10_000,
      bites: 'rollouts in flight, those at a gate too',
      then: 'further ones wait in the backlog of Workflows, up to 100,000',
    },
    {
      name: 'Workflows, executions created per minute and region',
      value: '6,000',
      at: 6000,
      bites: 'rollouts and rollbacks that begin in the same minute',
      then: 'the message comes again, the sweep starts what is left',
    },
    {
      name: 'Monitoring, time series queries per minute',
      value: '6,000 a project',
      at: Math.floor(6000 / reads),
      bites: `rollouts that pause at once: ${round(reads)} queries a minute each`,
      then: 'the judge says Error and looks again; make `judge.interval` longer, or put services in several projects',
    },
    {
      name: 'Workflows, steps of one execution',
      value: '100,000',
      at: Number.POSITIVE_INFINITY,
      bites: `never: at a gate an execution takes ${Math.round(stepsADay).toLocaleString('en')} a day, and after a day a fresh one goes on`,
      then: 'nothing',
    },
  ];
}

function ownInstances(model: Model): Quota[] {
  const { functions } = functionsSchema.parse(JSON.parse(readFileSync(FUNCTIONS_FILE, 'utf8'))).locals;
  const placesOf = (name: string) => {
    const { concurrency = 0, max_instances: most = 0 } = functions[name] ?? {};
    return concurrency * most;
  };
  const said = (name: string) => {
    const { concurrency = 0, max_instances: most = 0 } = functions[name] ?? {};
    return `${most} instances of ${concurrency} calls`;
  };
  const shape = shapeOf(model.service);
  const inWave = Math.ceil((shape.cloudRun + shape.gke) / shape.waves);
  const push = model.part('rollout.fixed');
  const pushSeconds =
    ((push['registry.read'] ?? 0) + 2) * ASSUMED.apiSeconds + 10 * ASSUMED.documentSeconds + model.counts.cpuSecondsPerCall;
  const swept = (model.part('sweep.service')['store.read'] ?? 0) * ASSUMED.documentSeconds;
  const timeoutSeconds = functions['sweep']?.timeout_seconds ?? 0;
  return [
    {
      name: '`activity`',
      value: said('activity'),
      at: Math.floor(placesOf('activity') / inWave),
      bites: `rollouts that change all targets of a wave (${inWave}) in the same second`,
      then: 'Cloud Run answers 429 and the workflow asks again; raise `max_instances`',
    },
    {
      name: '`imagePush`',
      value: said('imagePush'),
      at: Math.floor((placesOf('imagePush') * 60) / pushSeconds),
      bites: `pushes per minute, at ${round(pushSeconds)} s each`,
      then: 'Pub/Sub delivers again, a little later; raise `max_instances`',
    },
    {
      name: '`sweep`',
      value: `1 instance, ${timeoutSeconds} s`,
      at: Math.floor((timeoutSeconds * 10) / swept),
      bites: `services, at ${round(swept)} s each and ten at a time`,
      then: 'the next sweep goes on from the start: raise the timeout, or run one Slipway per group of services',
    },
    {
      name: '`notify`',
      value: said('notify'),
      at: Math.floor((placesOf('notify') * 60) / ASSUMED.apiSeconds),
      bites: 'events per minute that are sent to somebody',
      then: 'they come later',
    },
  ];
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
