/** How a price is known. `page`: read on Google's own page; `report`: in somebody's copy or notes of it. */
type Source = 'page' | 'report';

export interface Price {
  readonly usd: number;
  /** What `usd` buys. */
  readonly per: number;
  readonly unit: string;
  /** Free every month, in `unit`s. */
  readonly free: number;
  readonly source: Source;
  readonly url: string;
  readonly remark?: string;
}

/** List prices of us-central1 in US dollars, without taxes, commitments and discounts, as they were read on this day. */
export const READ_ON = '2026-11-21';

const GIB = 2 ** 30;

export const PRICES = {
  'steps.internal': {
    usd: 0.01,
    per: 1000,
    unit: 'internal steps',
    free: 5000,
    source: 'report',
    url: 'https://cloud.google.com/workflows/pricing',
    remark: 'free steps and what counts are from the page, the price is from reports that agree',
  },
  'steps.external': {
    usd: 0.025,
    per: 1000,
    unit: 'external steps',
    free: 2000,
    source: 'report',
    url: 'https://cloud.google.com/workflows/pricing',
    remark: 'waiting for a callback is an external step',
  },
  'functions.cpu': {
    usd: 0.000024,
    per: 1,
    unit: 'vCPU-seconds',
    free: 180_000,
    source: 'page',
    url: 'https://cloud.google.com/run/pricing',
    remark: 'functions are billed as Cloud Run, by requests',
  },
  'functions.memory': {
    usd: 0.0000025,
    per: 1,
    unit: 'GiB-seconds',
    free: 360_000,
    source: 'page',
    url: 'https://cloud.google.com/run/pricing',
  },
  'functions.calls': {
    usd: 0.4,
    per: 1_000_000,
    unit: 'requests',
    free: 2_000_000,
    source: 'page',
    url: 'https://cloud.google.com/run/pricing',
  },
  'store.read': {
    usd: 0.03,
    per: 100_000,
    unit: 'document reads',
    free: 50_000 * 30,
    source: 'page',
    url: 'https://firebase.google.com/docs/firestore/pricing',
    remark: 'a region of the United States; 50,000 a day are free',
  },
  'store.write': {
    usd: 0.09,
    per: 100_000,
    unit: 'document writes',
    free: 20_000 * 30,
    source: 'page',
    url: 'https://firebase.google.com/docs/firestore/pricing',
    remark: '20,000 a day are free',
  },
  'store.delete': {
    usd: 0.01,
    per: 100_000,
    unit: 'document deletes',
    free: 0,
    source: 'page',
    url: 'https://firebase.google.com/docs/firestore/pricing',
    remark: 'what a TTL deletes is never free',
  },
  'store.bytes': {
    usd: 0.15,
    per: GIB,
    unit: 'bytes stored',
    free: GIB,
    source: 'page',
    url: 'https://firebase.google.com/docs/firestore/pricing',
  },
  'pubsub.bytes': {
    usd: 40,
    per: 2 ** 40,
    unit: 'bytes, at least 1,000 a request',
    free: 10 * GIB,
    source: 'page',
    url: 'https://cloud.google.com/pubsub/pricing',
  },
  'log.bytes': {
    usd: 0.5,
    per: GIB,
    unit: 'bytes of log',
    free: 50 * GIB,
    source: 'page',
    url: 'https://cloud.google.com/stackdriver/pricing',
    remark: '30 days of keeping included',
  },
  'series.read': {
    usd: 0.5,
    per: 1_000_000,
    unit: 'time series returned',
    free: 1_000_000,
    source: 'report',
    url: 'https://cloud.google.com/stackdriver/pricing',
  },
  'alert.conditions': {
    usd: 0.1,
    per: 1,
    unit: 'alert conditions a month',
    free: 0,
    source: 'report',
    url: 'https://docs.cloud.google.com/monitoring/alerts/cost-control',
    remark:
      'announced for May 2026. The page says that each condition costs, reports say how much; an older page had $1.50',
  },
  'alert.series': {
    usd: 0.35,
    per: 1_000_000,
    unit: 'time series evaluated',
    free: 0,
    source: 'page',
    url: 'https://docs.cloud.google.com/monitoring/alerts/cost-control',
    remark: 'one per condition every 30 s; the price is from an older copy of the page and from reports',
  },
  'scheduler.jobs': {
    usd: 0.1,
    per: 1,
    unit: 'jobs a month',
    free: 3,
    source: 'page',
    url: 'https://cloud.google.com/scheduler/pricing',
    remark: 'three a billing account are free',
  },
  'secret.versions': {
    usd: 0.06,
    per: 1,
    unit: 'active secret versions a month',
    free: 6,
    source: 'page',
    url: 'https://cloud.google.com/secret-manager/pricing',
  },
  'registry.bytes': {
    usd: 0.1,
    per: 1e9,
    unit: 'bytes of images a month',
    free: 0.5e9,
    source: 'page',
    url: 'https://cloud.google.com/artifact-registry/pricing',
  },
  'registry.scans': {
    usd: 0.26,
    per: 1,
    unit: 'images scanned',
    free: 0,
    source: 'page',
    url: 'https://cloud.google.com/artifact-analysis/pricing',
    remark: 'each digest once; an image of two platforms is taken for two',
  },
} as const satisfies Readonly<Record<string, Price>>;

export type Priced = keyof typeof PRICES;

/** Of what a team has anyway, and of what it would have instead. Dollars an hour or a month. */
export const BESIDE = {
  forwardingRuleHour: { usd: 0.025, url: 'https://cloud.google.com/load-balancing/pricing' },
  clusterHour: { usd: 0.1, url: 'https://cloud.google.com/kubernetes-engine/pricing' },
  pipelineMonth: { usd: 5, url: 'https://cloud.google.com/deploy/pricing' },
} as const;

export interface Machine {
  readonly type: string;
  readonly cpu: 'ARM' | 'x86';
  readonly memoryGib: number;
  readonly usdPerHour: number;
  /** When the price was so. */
  readonly as: string;
  readonly source: string;
}

const SKU_API = "Google's price API, as published by Cyclenerd/google-cloud-pricing-cost-calculator";
const CATALOG = "Google's price API, as published by skypilot-org/skypilot-catalog";
const NOTES = 'notes of others alone';

/** Two vCPUs each, on demand, without disks. */
export const MACHINES: readonly Machine[] = [
  { type: 'c4a-standard-2', cpu: 'ARM', memoryGib: 8, usdPerHour: 0.0898, as: '2025-03', source: SKU_API },
  { type: 'n4a-standard-2', cpu: 'ARM', memoryGib: 8, usdPerHour: 0.077, as: '2026-04', source: NOTES },
  { type: 't2a-standard-2', cpu: 'ARM', memoryGib: 8, usdPerHour: 0.077, as: '2026', source: NOTES },
  { type: 'c4-standard-2', cpu: 'x86', memoryGib: 7, usdPerHour: 0.096866, as: '2026', source: CATALOG },
  {
    type: 'n4-standard-2',
    cpu: 'x86',
    memoryGib: 8,
    usdPerHour: 0.0907,
    as: '2026',
    source: `${CATALOG}; from the prices of n4-highcpu and n4-highmem`,
  },
  { type: 'n2-standard-2', cpu: 'x86', memoryGib: 8, usdPerHour: 0.0971, as: '2026-04', source: NOTES },
  { type: 'e2-standard-2', cpu: 'x86', memoryGib: 8, usdPerHour: 0.0671, as: '2026-04', source: NOTES },
];

export const POOL_NODES = 3;
export const HOURS_A_MONTH = 730;
