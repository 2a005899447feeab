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
  readonly remedy: string;
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
      remedy:
        'activities are refused, rest and ask again until the progress deadline; ask for more, or spread services over projects',
    },
    {
      name: 'Cloud Run Admin API, the same, in a rollback',
      value: '60 (as new projects report)',
      at: Math.floor(60 / writesOf.restore),
      bites: `services that are restored in the same region in the same minute: ${writesOf.restore} write each`,
      remedy: 'the rest is restored a minute later: ask for more before there are that many',
    },
    {
      name: 'Firestore, writes per second of one document',
      value: '1, sustained; more for short',
      at: Math.floor(1 / writesASecond),
      bites: `targets in one wave while they are polled: ${round(writesASecond)} writes a second each`,
      remedy: 'writes of one function instance queue and do not collide; make waves smaller',
    },
    {
      name: 'Workflows, concurrent executions per region',
      value: '10,000',
      at: 10_000,
      bites: 'rollouts in flight, those at a gate too',
      remedy: 'further ones wait in the backlog of Workflows, up to 100,000',
    },
    {
      name: 'Workflows, executions created per minute and region',
      value: '6,000',
      at: 6000,
      bites: 'rollouts and rollbacks that begin in the same minute',
      remedy: 'the message comes again, the sweep starts what is left',
    },
    {
      name: 'Monitoring, time series queries per minute',
      value: '6,000 a project',
      at: Math.floor(6000 / reads),
      bites: `rollouts that pause at once: ${round(reads)} queries a minute each`,
      remedy:
        'the judge says Error and looks again; make `judge.interval` longer, or put services in several projects',
    },
    {
      name: 'Workflows, steps of one execution',
      value: '100,000',
      at: Number.POSITIVE_INFINITY,
      bites: `never: at a gate an execution takes ${Math.round(stepsADay).toLocaleString('en')} a day, and after a day a fresh one goes on`,
      remedy: 'nothing',
    },
  ];
}

function ownInstances(model: Model): Quota[] {
  const { functions } = functionsSchema.parse(JSON.parse(readFileSync(FUNCTIONS_FILE, 'utf8'))).locals;
  const of = (name: string) => {
    const { concurrency = 0, max_instances: instances = 0 } = functions[name] ?? {};
    const value = `${instances} ${instances === 1 ? 'instance' : 'instances'} of ${concurrency} calls`;
    return { instances, places: instances * concurrency, value };
  };
  const { cpuSecondsPerCall } = model.counts;
  const aMinute = (name: string, seconds: number) =>
    Math.floor(Math.min((of(name).places * 60) / seconds, (of(name).instances * 60) / cpuSecondsPerCall));
  const shape = shapeOf(model.service);
  const inWave = Math.ceil((shape.cloudRun + shape.gke) / shape.waves);
  const push = model.part('push');
  const messages = push['calls.imagePush'] ?? 1;
  const pushSeconds = (model.billed(push)['functions.cpu'] ?? 0) / messages;
  const swept = (model.part('sweep.service')['store.read'] ?? 0) * ASSUMED.documentSeconds;
  const timeoutSeconds = functions['sweep']?.timeout_seconds ?? 0;
  return [
    {
      name: '`activity`',
      value: of('activity').value,
      at: Math.floor(of('activity').places / inWave),
      bites: `rollouts that change all targets of a wave (${inWave}) in the same second`,
      remedy: 'Cloud Run answers 429 and the workflow asks again; raise `max_instances`',
    },
    {
      name: '`imagePush`',
      value: of('imagePush').value,
      at: Math.floor(aMinute('imagePush', pushSeconds) / messages),
      bites: `pushed images per minute: ${messages} messages each, of ${round(pushSeconds)} s`,
      remedy: 'Pub/Sub delivers again, a little later; raise `max_instances`',
    },
    {
      name: '`sweep`',
      value: `1 instance, ${timeoutSeconds} s`,
      at: Math.floor((timeoutSeconds * 10) / swept),
      bites: `services, at ${round(swept)} s each and ten at a time`,
      remedy:
        'the next sweep goes on from the start: raise the timeout, or run one Slipway per group of services',
    },
    {
      name: '`notify`',
      value: of('notify').value,
      at: aMinute('notify', ASSUMED.apiSeconds),
      bites: 'events per minute, by CPU',
      remedy: 'they come later',
    },
  ];
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
