import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { z } from 'zod';
import type { Startup } from './measure.ts';

/** What each function loads: bytes from the bundle's own account, times and memory as measured. */

/** The modules that a function imports when it first does what a grant of Terraform allows it. */
export const LOADED_WITH: Readonly<Record<string, readonly string[]>> = {
  records: ['functions/store/firestore.ts', 'functions/google/packages/firestore.ts'],
  records_read: ['functions/store/firestore.ts', 'functions/google/packages/firestore.ts'],
  events: ['functions/google/packages/pubsub.ts'],
  commands: ['functions/google/packages/pubsub.ts'],
  executions: ['functions/google/packages/workflows.ts'],
  images: [
    'functions/image/registry.ts',
    'functions/google/authorities.ts',
    'functions/google/packages/grafeas.ts',
  ],
  targets: [
    'functions/targets/cloud-run.ts',
    'functions/google/packages/run.ts',
    'functions/targets/gke.ts',
    'functions/targets/gke-preflight.ts',
    'functions/google/packages/container.ts',
    'functions/google/packages/compute.ts',
  ],
  load_balancers: ['functions/targets/load-balancer.ts', 'functions/google/packages/compute.ts'],
  metrics: ['functions/metrics/blocks.ts', 'functions/google/packages/monitoring.ts'],
  secrets: [],
};

export interface FunctionSize {
  readonly name: string;
  /** Files that it imports after `index.js`, at most. */
  readonly later: readonly string[];
  readonly bytesAtStart: number;
  readonly bytesAtMost: number;
}

const grantsFile = z.object({
  locals: z.object({ functions: z.record(z.string(), z.object({ grants: z.array(z.string()) })) }),
});

export async function grantsOf(root: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const file = path.join(root, 'terraform/modules/orchestrator/functions.tf.json');
  const { functions } = grantsFile.parse(JSON.parse(await readFile(file, 'utf8'))).locals;
  return Object.fromEntries(Object.entries(functions).map(([name, { grants }]) => [name, grants]));
}

export function sizesOf(
  { outputs }: Metafile,
  functions: Readonly<Record<string, readonly string[]>>,
): FunctionSize[] {
  const fileOf = (module: string) =>
    Object.keys(outputs).filter(name => outputs[name]?.entryPoint === module && name.endsWith('.js'));
  const start = fileOf('functions/index.ts');
  return Object.entries(functions).map(([name, grants]) => {
    const modules = new Set(grants.flatMap(grant => LOADED_WITH[grant] ?? []));
    const later = [...modules].flatMap(fileOf);
    return {
      name,
      later,
      bytesAtStart: bytesOf(outputs, start),
      bytesAtMost: bytesOf(outputs, [...start, ...later]),
    };
  });
}

/** With all that they import in turn, each file once. */
function bytesOf(outputs: Metafile['outputs'], files: readonly string[]): number {
  const loaded = new Set<string>();
  const open = [...files];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    const imports = outputs[file]?.imports ?? [];
    open.push(
      ...imports.filter(one => one.kind === 'import-statement' && !one.external).map(one => one.path),
    );
  }
  return [...loaded].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0);
}

/** @param startups medians by the function's name; without them the columns of what was measured are left out */
export function printSizes(sizes: readonly FunctionSize[], startups?: ReadonlyMap<string, Startup>): string {
  const measured = (at: Startup['start'] | undefined) =>
    startups ? [at ? `${at.ms.toFixed(0)} ms` : '', at ? `${at.rssMb.toFixed(0)} MB` : ''] : [];
  const titles = startups ? ['import', 'memory'] : [];
  const rows = sizes.map(({ name, bytesAtStart, bytesAtMost }) => [
    `\`${name}\``,
    kilobytes(bytesAtStart),
    ...measured(startups?.get(name)?.start),
    kilobytes(bytesAtMost),
    ...measured(startups?.get(name)?.most),
  ]);
  const header = ['function', 'at its start', ...titles, 'with all it may use', ...titles];
  return [header, header.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1000).toLocaleString('en')} kB`;
}
