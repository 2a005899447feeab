import type { Api } from '../../local/cloud.ts';
import type { Fault, FaultRule } from '../../local/faults.ts';

/** What goes wrong while several services roll out, all of it drawn from a seed. Times count from the beginning. */
export interface Schedule {
  readonly seed: number;
  readonly faults: readonly { readonly api: Api; readonly rule: FaultRule }[];
  /** When the functions crash and come back, if they do. */
  readonly crashMs: number | undefined;
  readonly services: readonly ServicePlan[];
}

export interface ServicePlan {
  readonly name: string;
  readonly pushes: readonly { readonly atMs: number; readonly isBroken: boolean }[];
  /** When all executions of the service die. */
  readonly killsMs: readonly number[];
  /** When an SLO alert comes, and is over right after. */
  readonly alertMs: number | undefined;
  /** Gates that are answered with abort, counted over all rollouts from 0. */
  readonly aborts: ReadonlySet<number>;
  readonly onBusy: 'queue' | 'supersede';
}

/** Between these times things go wrong; before, the first rollouts get on their way. */
export const TROUBLE = { fromMs: 1000, untilMs: 6000 } as const;
const SERVICES = 4;

const WRITES = ['PATCH', 'POST', 'PUT'];
const STATUS: readonly number[] = [409, 429, 500, 503];

export function drawSchedule(seed: number): Schedule {
  const random = randomFrom(seed);
  return {
    seed,
    faults: APIS.flatMap(api => [faultOn(api, random), faultOn(api, random)]),
    crashMs: random() < 0.5 ? moment(random) : undefined,
    services: Array.from({ length: SERVICES }, (_, index) => drawPlan(`seed${seed}x${index}`, random)),
  };
}

function drawPlan(name: string, random: () => number): ServicePlan {
  const isBroken = () => random() < 0.2;
  const first = { atMs: Math.round(random() * 3000), isBroken: isBroken() };
  const second = { atMs: moment(random), isBroken: isBroken() };
  return {
    name,
    pushes: random() < 0.6 && second.atMs > first.atMs ? [first, second] : [first],
    killsMs: Array.from({ length: Math.floor(random() * 3) }, () => moment(random)),
    alertMs: random() < 0.25 ? moment(random) : undefined,
    aborts: new Set([0, 1, 2].filter(() => random() < 0.15)),
    onBusy: random() < 0.5 ? 'queue' : 'supersede',
  };
}

function moment(random: () => number): number {
  return Math.round(TROUBLE.fromMs + random() * (TROUBLE.untilMs - TROUBLE.fromMs));
}

const APIS = [
  'run',
  'kubernetes',
  'container',
  'workflowexecutions',
  'registry',
  'monitoring',
  'pubsub',
] as const;

function faultOn(api: Api, random: () => number): { api: Api; rule: FaultRule } {
  const fault = drawFault(random);
  const isConflict = fault.kind === 'status' && fault.status === 409;
  const isWrite = isConflict || fault.kind === 'loseAnswer';
  return {
    api,
    rule: { fault, probability: 0.04 + random() * 0.1, ...(isWrite ? { methods: WRITES } : {}) },
  };
}

function drawFault(random: () => number): Fault {
  const roll = random();
  if (roll < 0.25) return { kind: 'latency', ms: Math.round(50 + random() * 400) };
  if (roll < 0.5) return { kind: 'loseAnswer' };
  return { kind: 'status', status: STATUS[Math.floor(random() * STATUS.length)] ?? 503 };
}

/** Numbers from 0 up to 1, the same for the same seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function describeSchedule({ seed, faults, crashMs, services }: Schedule): string {
  const wrong = faults.map(({ api, rule: { fault, probability = 1 } }) => {
    const what = fault.kind === 'status' ? fault.status : fault.kind;
    return `${api} ${what} ${Math.round(probability * 100)} %`;
  });
  return [
    `seed ${seed}, functions crash ${crashMs ?? 'never'}: ${wrong.join(', ')}`,
    ...services.map(plan => JSON.stringify({ ...plan, aborts: [...plan.aborts] })),
  ].join('\n');
}
