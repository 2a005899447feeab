import { readFileSync } from 'node:fs';
import { z } from 'zod';

const part = z.record(z.string(), z.number());

const PART_NAMES = [
  'push',
  'first.fixed',
  'first.wave',
  'first.cloudRun',
  'first.gke',
  'rollout.fixed',
  'rollout.wave',
  'rollout.cloudRun',
  'rollout.gke',
  'look',
  'poll.cloudRun',
  'poll.gke',
  'rollback.fixed',
  'rollback.target',
  'sweep.fixed',
  'sweep.service',
] as const;

const countsSchema = z.strictObject({
  measured: z.strictObject({ on: z.string(), node: z.string(), cpu: z.string() }),
  /** Of rollouts.yaml. */
  shape: z.strictObject({ waves: z.number(), targets: z.number() }),
  cpuSecondsPerCall: z.number(),
  /** Data and attributes of a published event. */
  messageBytes: z.number(),
  seriesPerRead: z.number(),
  recordBytes: z.number(),
  /** Of all alert policies of one service. */
  alertConditions: z.number(),
  /** Writes to Cloud Run that one target takes. */
  writesOf: z.strictObject({
    deploy: z.number(),
    setWeight: z.number(),
    promote: z.number(),
    restore: z.number(),
  }),
  /** What each part of a rollout uses. */
  parts: z.record(z.enum(PART_NAMES), part),
  /** What whole ones used, with the waits as short as they were. */
  totals: z.strictObject({ first: part, canary: part, rollback: part }),
  /** Looks that ended no pause, and calls that found a target not ready yet. */
  seen: z.strictObject({ looks: z.number(), polls: z.number(), pollsOfGke: z.number() }),
});

export type Part = z.output<typeof part>;
export type PartName = (typeof PART_NAMES)[number];
export type Counts = z.output<typeof countsSchema>;

export const COUNTS_FILE = new URL('counts.json', import.meta.url);

/** What `npm run bench -- cost --measure` recorded last. */
export function readCounts(): Counts {
  return countsSchema.parse(JSON.parse(readFileSync(COUNTS_FILE, 'utf8')));
}
