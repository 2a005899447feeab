import { markdown } from '../judge/markdown.ts';
import {
  ASSUMED,
  DAYS_A_MONTH,
  looksPerWave,
  type Model,
  pollsPerTarget,
  type Shape,
  shapeOf,
  usd,
} from './model.ts';
import { BESIDE, HOURS_A_MONTH, MACHINES, POOL_NODES, PRICES, type Price, type Priced } from './prices.ts';
import { quotas } from './quotas.ts';
import { countOf, sum, times, type Use } from './use.ts';

const ROLLOUTS_A_DAY = 5;
const MANY_SERVICES = 100;
const ONE_REGION: Shape = { cloudRun: 1, gke: 0, waves: 1 };
const TEN_REGIONS: Shape = { cloudRun: 10, gke: 0, waves: 3 };
/** Of an image with two platforms, each of which is scanned. */
const PLATFORMS = 2;

export type TableName =
  | 'rollouts'
  | 'parts'
  | 'months'
  | 'nodes'
  | 'instead'
  | 'quotas'
  | 'prices'
  | 'assumed';

/** All of docs/cost.md that is calculated, in Markdown. */
export function costTables(model: Model): Readonly<Record<TableName, string>> {
  return {
    rollouts: rolloutsTable(model),
    parts: partsTable(model),
    months: monthsTable(model),
    nodes: nodesTable(),
    instead: insteadTable(model),
    quotas: quotasTable(model),
    prices: pricesTable(),
    assumed: assumedTable(model),
  };
}

function rolloutsTable(model: Model): string {
  const example = shapeOf(model.service);
  const rows: readonly (readonly [string, Use])[] = [
    ['first rollout of the example', model.first(example)],
    ['canary, 1 region, 1 wave', model.rollout(ONE_REGION)],
    ['canary of the example: 3 regions and GKE, 2 waves', model.rollout(example)],
    ['canary, 10 regions, 3 waves', model.rollout(TEN_REGIONS)],
    ['rollback of the example', model.rollback(example)],
    ['one minute more of a pause or at a gate', model.part('look')],
    [
      'one region more',
      sum([model.rollout({ ...ONE_REGION, cloudRun: 2 }), times(model.rollout(ONE_REGION), -1)]),
    ],
  ];
  return markdown([
    [
      '',
      'calls of functions',
      'steps',
      'waits',
      'reads',
      'writes',
      'calls of APIs',
      'vCPU-seconds',
      'dollars',
    ],
    ...rows.map(([name, use]) => [name, ...amounts(model, use)]),
  ]);
}

function amounts(model: Model, use: Use): string[] {
  const billed = model.billed(use);
  const apis = ['run', 'container', 'kubernetes', 'compute', 'monitoring', 'workflowexecutions', 'registry'];
  const calls = apis.reduce((total, api) => total + countOf(use, `${api}.`), 0);
  return [
    whole(countOf(use, 'calls.')),
    whole(use['steps.internal'] ?? 0),
    whole(use['steps.external'] ?? 0),
    whole(use['store.read'] ?? 0),
    whole(use['store.write'] ?? 0),
    whole(calls),
    whole(billed['functions.cpu'] ?? 0),
    (Math.round(usd(billed) * 10_000) / 10_000).toFixed(4),
  ];
}

function partsTable(model: Model): string {
  const parts = [
    ['a canary, once', 'rollout.fixed'],
    ['per wave', 'rollout.wave'],
    ['per Cloud Run region', 'rollout.cloudRun'],
    ['per GKE cluster', 'rollout.gke'],
    ['per look', 'look'],
    ['per poll of a region', 'poll.cloudRun'],
    ['a rollback, once', 'rollback.fixed'],
    ['per target', 'rollback.target'],
    ['a sweep', 'sweep.fixed'],
    ['per service', 'sweep.service'],
  ] as const;
  const columns = [
    ['steps', 'steps.'],
    ['calls of functions', 'calls.'],
    ['reads', 'store.read'],
    ['writes', 'store.write'],
    ['Cloud Run', 'run.'],
    ['GKE', 'container.'],
    ['Kubernetes', 'kubernetes.'],
    ['Compute', 'compute.'],
    ['Monitoring', 'monitoring.'],
    ['Executions', 'workflowexecutions.'],
    ['events', 'pubsub.'],
  ] as const;
  return markdown([
    ['', ...columns.map(([name]) => name)],
    ...parts.map(([name, part]) => [
      name,
      ...columns.map(([, prefix]) => short(countOf(model.part(part), prefix))),
    ]),
  ]);
}

function monthsTable(model: Model): string {
  const rollouts = MANY_SERVICES * ROLLOUTS_A_DAY * DAYS_A_MONTH;
  const busy = sum([model.idleMonth(MANY_SERVICES), times(model.rollout(shapeOf(model.service)), rollouts)]);
  const months: readonly Use[] = [
    sum([model.billed(model.idleMonth(1)), model.standing(1, 100)]),
    sum([model.billed(model.idleMonth(MANY_SERVICES)), model.standing(MANY_SERVICES, MANY_SERVICES * 100)]),
    sum([model.billed(busy), model.standing(MANY_SERVICES, rollouts * 12)]),
  ];
  const groups: readonly (readonly [string, (name: Priced) => boolean])[] = [
    ['Workflows', name => name.startsWith('steps.')],
    ['functions', name => name.startsWith('functions.')],
    ['Firestore', name => name.startsWith('store.')],
    ['Pub/Sub', name => name.startsWith('pubsub.')],
    ['Logging', name => name.startsWith('log.')],
    ['Monitoring, reading metrics', name => name.startsWith('series.')],
    [
      'Cloud Scheduler, Secret Manager, the functions’ images',
      name => /^(scheduler|secret|registry)\./.test(name),
    ],
  ];
  const alerts = (name: Priced) => name.startsWith('alert.');
  const row = (name: string, value: (month: Use) => number) => [
    name,
    ...months.map(month => dollars(value(month))),
  ];
  return markdown([
    [
      'dollars a month',
      '1 service, idle',
      `${MANY_SERVICES} services, idle`,
      `${MANY_SERVICES} services, ${ROLLOUTS_A_DAY} rollouts a day each`,
    ],
    ...groups.map(([name, isIn]) => row(name, month => usd(month, false, isIn))),
    row('**Slipway, by list price**', month => usd(month, false, name => !alerts(name))),
    row('**the same, less what is free each month**', month => usd(month, true, name => !alerts(name))),
    row('alert policies of the SLOs', month => usd(month, false, alerts)),
  ]);
}

function nodesTable(): string {
  const reference = MACHINES.find(({ type }) => type === 'n4-standard-2')?.usdPerHour ?? Number.NaN;
  const rows = MACHINES.map(({ type, cpu, memoryGib, usdPerHour, as, source }) => [
    `\`${type}\``,
    cpu,
    `${memoryGib} GiB`,
    usdPerHour.toFixed(4),
    dollars(usdPerHour * HOURS_A_MONTH * POOL_NODES),
    percent(usdPerHour / reference - 1),
    `${as}: ${source}`,
  ]);
  const head = [
    '2 vCPUs',
    '',
    'memory',
    'dollars an hour',
    `${POOL_NODES} nodes, a month`,
    'against `n4-standard-2`',
  ];
  return markdown([[...head, 'the price as of'], ...rows]);
}

function insteadTable(model: Model): string {
  const smallest = Math.min(...MACHINES.map(({ usdPerHour }) => usdPerHour));
  const { pipelineMonth, forwardingRuleHour, clusterHour } = BESIDE;
  const scans = (PRICES['registry.scans'].usd * PLATFORMS) / PRICES['registry.scans'].per;
  const example = model.billed(model.rollout(shapeOf(model.service)));
  return markdown([
    ['', 'dollars', 'what Slipway has to do with it'],
    [
      'Cloud Deploy: 100 pipelines with several targets, a month',
      dollars(pipelineMonth.usd * (MANY_SERVICES - 1)),
      'what would be instead; the first is free, its builds are not in it',
    ],
    [
      'the cheapest node of the table below, a month',
      dollars(smallest * HOURS_A_MONTH),
      'what a controller that always runs lives on, or shares',
    ],
    [
      'a GKE cluster, a month',
      dollars(clusterHour.usd * HOURS_A_MONTH),
      'there anyway; regional ones are never free',
    ],
    [
      'a load balancer’s forwarding rules (up to five), a month',
      dollars(forwardingRuleHour.usd * HOURS_A_MONTH),
      'there anyway; the console needs one more rule if it gets its own',
    ],
    [
      'scanning one pushed image of two platforms',
      dollars(scans),
      `\`repository.scan\`, on by default: ${Math.round(scans / usd(example))} times what its rollout costs`,
    ],
  ]);
}

function quotasTable(model: Model): string {
  const rows = quotas(model).map(({ name, value, bites, at, remedy }) => [
    name,
    value,
    Number.isFinite(at) ? at.toLocaleString('en') : '–',
    bites,
    remedy,
  ]);
  return markdown([['quota', 'value', 'bites from', 'of', 'then'], ...rows]);
}

function pricesTable(): string {
  const entries: readonly (readonly [string, Price])[] = Object.entries(PRICES);
  return markdown([
    ['what', 'dollars', 'free a month', 'from', 'remark'],
    ...entries.map(([, { usd: price, per, unit, free, source, url, remark = '' }]) => [
      unit,
      `${price} per ${amount(per)}`,
      free === 0 ? '–' : amount(free),
      `[${source === 'page' ? 'page' : 'reports'}](${url})`,
      remark,
    ]),
  ]);
}

function assumedTable(model: Model): string {
  return markdown([
    ['assumed', ''],
    ['a person opens a gate after', `${ASSUMED.gateMinutes} minutes`],
    ['a new revision or new pods are ready after', `${ASSUMED.readySeconds} s`],
    ['a weight or a promotion is confirmed after', `${ASSUMED.confirmSeconds} s`],
    ['so a target is polled', `${pollsPerTarget(model.service)} times`],
    ['and a wave looked at', `${looksPerWave(model.service)} times`],
    ['a call of an API takes, one after the other', `${ASSUMED.apiSeconds} s`],
    ['a document, read or written', `${ASSUMED.documentSeconds} s`],
    ['CPU of one call of a function, measured here', `${model.counts.cpuSecondsPerCall.toFixed(3)} s`],
    ['rounding up to 100 ms adds', `${ASSUMED.roundingSeconds} s`],
    ['every function has', `1 vCPU and ${ASSUMED.memoryGib} GiB, and works on one call at a time`],
    ['Cloud Run’s log entry of a request', `${ASSUMED.requestLogBytes} bytes`],
    ['the functions’ images', amount(ASSUMED.functionImageBytes)],
    [
      'rollouts on record: idle, and busy for a year',
      `100 a service, ${ROLLOUTS_A_DAY * DAYS_A_MONTH * 12} a service`,
    ],
  ]);
}

function whole(value: number): string {
  return value > 0 && value < 10 ? short(value) : Math.round(value).toLocaleString('en');
}

function short(value: number): string {
  return value === 0 ? '–' : String(Math.round(value * 10) / 10);
}

function dollars(value: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function percent(share: number): string {
  const text = (share * 100).toFixed(0);
  return share > 0 ? `+${text} %` : `${text} %`;
}

const SIZES = [
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [1e9, 'GB'],
] as const;

function amount(value: number): string {
  for (const [size, unit] of SIZES) {
    if (value % size === 0 && value >= size) return `${value / size} ${unit}`;
  }
  return value === 0.5e9 ? '0.5 GB' : value.toLocaleString('en');
}
