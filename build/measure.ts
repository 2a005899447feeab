import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { FunctionSize } from './sizes.ts';

const CHILD = path.join(import.meta.dirname, 'startup-child.js');
const RUNS = 5;

/** Milliseconds from the start of the import, and the resident memory of the process. */
const moment = z.object({ ms: z.number(), rssMb: z.number() });

/** As it starts, and with everything that it may need, the start included. */
const startup = z.object({ start: moment, most: moment });
export type Startup = z.output<typeof startup>;

/** Starts each function in fresh processes, one after the other. @returns medians by the function's name */
export async function measureFunctions(
  folder: string,
  sizes: readonly FunctionSize[],
): Promise<ReadonlyMap<string, Startup>> {
  const medians = new Map<string, Startup>();
  for (const { name, later } of sizes) {
    const runs: Startup[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await start(folder, later));
    medians.set(name, { start: medianOf(runs, 'start'), most: medianOf(runs, 'most') });
  }
  return medians;
}

async function start(folder: string, later: readonly string[]): Promise<Startup> {
  const files = ['index.js', ...later].map(file => path.join(folder, file));
  const env = { GOOGLE_CLOUD_PROJECT: 'measured', NODE_ENV: 'production', PATH: process.env['PATH'] };
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, ...files], { env });
  return startup.parse(JSON.parse(stdout));
}

function medianOf(runs: readonly Startup[], at: keyof Startup): Startup['start'] {
  return { ms: median(runs.map(run => run[at].ms)), rssMb: median(runs.map(run => run[at].rssMb)) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
