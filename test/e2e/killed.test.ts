import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { isFinal, type Rollout } from '../../functions/rollout/record.ts';
import type { Send } from '../../local/workflows/host.ts';
import { sendByFetch } from '../../local/workflows/send.ts';
import { Crowd, canaryOf, oneOfTheCrowd, SHARED_IMAGE, STABLE_IMAGE, stableOf } from './crowd.ts';
import { gkeTargetSpec, gkeTraffic, serveOnGke } from './gke-service.ts';
import { pathOf, patientActivities, type StepPath, stepsOf } from './steps.ts';

/**
 * The process behind an execution dies right before a step, the first time it gets there, for every step of both
 * workflows. One sweep later the rollout goes on to its end, and the targets are as its phase says.
 */

const STRATEGY = {
  steps: [{ setWeight: 20 }, { pause: { duration: '100ms' } }, { setWeight: 50 }, { pause: {} }],
  progressDeadline: '30s',
  rollbackWindow: '1h',
};

/** What makes an execution come by a step that it does not need when all goes well. */
type Trouble =
  | 'none'
  /** The canary does not start. */
  | 'broken'
  /** The function `activity` refuses every first call with 503. */
  | 'refused'
  /** It answers every first call with `again`. */
  | 'again'
  /** It says three times that the rollout is held. */
  | 'held'
  /** It says at the first call that a restore takes too long. */
  | 'overdue';

interface Case {
  readonly service: string;
  readonly place: 'Cloud Run' | 'GKE';
  readonly workflow: 'rollout' | 'rollback';
  readonly path: StepPath;
  readonly trouble: Trouble;
}

/** Only what no activity answers leads there. */
const UNREACHABLE = /wait\.something_else$/;

/** The same routine from four places: one has every step of it, and the others only the step that calls it. */
const REPEATED = /(may_\w+ > until_clear\.|nothing_holds_it > until_clear\.is_it_held > .*may_help)/;

/** Before and after the calls that change a cluster; Cloud Run has every step. */
const ON_GKE =
  /main\.(deploy|probe|set_weight|promote|healthy|restore|degraded) (> until_\w+\.ask )?> activity\.(call_function|answer)$/;

const CASES: readonly Case[] = (['rollout', 'rollback'] as const).flatMap(workflow => {
  const paths = stepsOf(workflow).filter(path => !UNREACHABLE.test(path) && !REPEATED.test(path));
  return [
    ...paths.map(path => aCase(workflow, 'Cloud Run', path)),
    ...paths.filter(path => ON_GKE.test(path)).map(path => aCase(workflow, 'GKE', path)),
  ];
});

function aCase(workflow: Case['workflow'], place: Case['place'], path: StepPath): Case {
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 6);
  const service = `${workflow}-${place === 'GKE' ? 'gke' : 'run'}-${hash}`;
  return { service, workflow, place, path, trouble: troubleFor(path) };
}

function troubleFor(path: StepPath): Trouble {
  if (/is_it_held > /.test(path)) return 'held';
  if (/may_help\./.test(path))
    return /take_it_back/.test(path)
      ? 'broken'
      : /leave_the_load_balancer/.test(path)
        ? 'overdue'
        : 'refused';
  if (/main\.take_it_back/.test(path)) return 'broken';
  if (/until_restored\.(last_resort|unless|leave|has_it_left)/.test(path)) return 'overdue';
  return /\.(rest|ask_again|ask_less_often)$/.test(path) ? 'again' : 'none';
}

const bodySchema = z.object({
  rollout: z.string(),
  activity: z.string(),
  target: z.string().nullable(),
  targets: z.array(z.string()).nullish(),
  step: z.number().optional(),
});

const byService = new Map(CASES.map(one => [one.service, one]));
const killed = new Set<string>();
const seenCalls = new Map<string, number>();
const ended = new Map<string, Rollout>();
let crowd: Crowd;

function serviceOf(rollout: string): string {
  return rollout.slice(0, rollout.lastIndexOf('-'));
}

function onStep(execution: string, stack: Parameters<typeof pathOf>[0]): void {
  const { workflows } = crowd.world.cloud.cores;
  const { rollout } = z
    .object({ rollout: z.string() })
    .parse(JSON.parse(workflows.getExecution(execution).argument));
  const one = byService.get(serviceOf(rollout));
  if (!one || killed.has(one.service) || !execution.includes(`/workflows/${one.workflow}/`)) return;
  if (pathOf(stack) !== one.path) return;
  killed.add(one.service);
  workflows.kill(execution);
}

/** The network between a workflow and the function `activity`, with the trouble that a case needs. */
const send: Send = async request => {
  const parsed = bodySchema.safeParse(JSON.parse(request.body?.toString('utf8') || '{}'));
  if (!parsed.success) return sendByFetch(request);
  const { rollout, activity, target, targets } = parsed.data;
  const trouble = byService.get(serviceOf(rollout))?.trouble ?? 'none';
  const call = `${rollout} ${activity} ${target}`;
  const seen = seenCalls.get(call) ?? 0;
  const isFirst = seen === 0;
  seenCalls.set(call, seen + 1);
  if (trouble === 'held' && activity === 'clearance' && seen < 3) return reply(200, AGAIN);
  if (isFirst && isRefused(trouble, activity)) return reply(503, {});
  if (isFirst && trouble === 'again' && PATIENT.has(activity)) return reply(200, AGAIN);
  if (isFirst && trouble === 'overdue' && activity === 'restore')
    return reply(200, { ...AGAIN, overdue: targets });
  return sendByFetch(request);
};

/** `restore` is asked for by the rollback, in a loop of its own. */
const PATIENT = new Set([...patientActivities(), 'restore']);

const AGAIN = { status: 'again', message: 'not yet', overdue: [] };

function isRefused(trouble: Trouble, activity: string): boolean {
  if (trouble === 'refused') return true;
  return (trouble === 'broken' && activity === 'fail') || (trouble === 'overdue' && activity === 'drain');
}

function reply(status: number, body: object) {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
  };
}

/** Rollouts under way at a time. */
const WIDTH = 16;

beforeAll(async () => {
  const services = CASES.map(({ service, place }) => {
    const targets = place === 'GKE' ? { targets: [gkeTargetSpec(service)] } : {};
    return oneOfTheCrowd(service, { ...targets, strategy: STRATEGY });
  });
  crowd = await Crowd.open(services, { onStep, send });
  const digest = await crowd.build('good');
  const broken = await crowd.build('broken');
  crowd.dataPlane.broken.add(broken);
  await inParallel(WIDTH, CASES, async one => {
    if (one.place === 'GKE') await serveOnGke(crowd.world.cloud, one.service, STABLE_IMAGE);
    else await crowd.serve(one.service);
    crowd.push(`${one.service}-v2`, one.trouble === 'broken' ? broken : digest);
    await drive(one, () => killed.has(one.service));
  });
  const { status } = await crowd.world.sweep();
  if (status !== 204) throw new Error(`the sweep answered ${status}`);
  await inParallel(WIDTH, CASES, async one => {
    if (killed.has(one.service)) ended.set(one.service, await drive(one, isFinal));
  });
}, 240_000);
afterAll(() => crowd?.close());

/** Does at the gate what the case wants, until the rollout is as wanted. */
async function drive(one: Case, isSo: (rollout: Rollout) => boolean): Promise<Rollout> {
  const decided = new Set<string>();
  return crowd.world.until(one.service, `${one.service}-v2`, rollout => {
    if (isSo(rollout)) return true;
    if (isFinal(rollout)) return true;
    const isAtGate = rollout.phase === 'Paused' && rollout.pause?.promotedBy === undefined;
    if (isAtGate && !decided.has('gate')) {
      decided.add('gate');
      const command = one.workflow === 'rollback' ? 'abort' : 'promote';
      const { service, id } = rollout;
      crowd.world.publish('rollout-commands', { command, service, rollout: id, actor: 'me' });
    }
    return false;
  });
}

async function inParallel<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  async function worker(): Promise<void> {
    for (let item = waiting.shift(); item; item = waiting.shift()) await work(item);
  }
  await Promise.all(Array.from({ length: width }, worker));
}

describe.each(['rollout', 'rollback'] as const)('an execution of %s that is killed before', workflow => {
  test.each(CASES.filter(one => one.workflow === workflow))('$path ($place)', one => {
    expect(killed, 'the execution never came by this step').toContain(one.service);
    const rollout = ended.get(one.service);
    const isGood = one.workflow === 'rollout' && one.trouble !== 'broken';
    expect(rollout).toMatchObject({ phase: isGood ? 'Healthy' : 'Degraded' });
    if (!rollout) return;
    expect(trafficOf(one)).toEqual({
      shares: { [isGood ? canaryFor(one, rollout) : stableFor(one)]: 100 },
      unready: [],
    });
  });
});

function trafficOf({ place, service }: Case) {
  return place === 'GKE' ? gkeTraffic(crowd.world.cloud, service) : crowd.traffic(service);
}

function canaryFor({ place }: Case, rollout: Rollout): string {
  return place === 'GKE' ? `${SHARED_IMAGE}@${rollout.digest}` : canaryOf(rollout);
}

function stableFor({ place, service }: Case): string {
  return place === 'GKE' ? STABLE_IMAGE : stableOf(service);
}
