import { parseArgs } from 'node:util';
import { openRegions, type TakenBack } from './regions.ts';
import { median, seconds, table } from './report.ts';
import type { Callee } from './wire.ts';

const LATENCY_MS = 200;
const AIM = 1.5;

interface Run {
  /** From the alert's message to the last region that was confirmed. */
  readonly restoredMs: number;
  /** From there on to the phase `Degraded` on record: the execution was started and ended, too. */
  readonly calls: Readonly<Partial<Record<Callee, number>>>;
}

/**
 * How long many regions take to be restored, against the chain of calls that one needs: the same bench with one region.
 * @returns whether the aim was met
 */
export async function benchTargets(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      regions: { type: 'string', default: '40' },
      runs: { type: 'string', default: '3' },
      latency: { type: 'string', default: String(LATENCY_MS) },
    },
  });
  const latencyMs = Number(values.latency);
  const [one, many] = [await runs(1, values), await runs(Number(values.regions), values)];
  const ratio = median(many.map(run => run.restoredMs)) / median(one.map(run => run.restoredMs));
  console.log(
    `From an SLO alert's message to the last region restored from 50 %, ${latencyMs} ms on every call, median of ${one.length} runs\n`,
  );
  console.log(
    table([['regions', 'restored', 'each run', 'calls'], row(1, one), row(Number(values.regions), many)]),
  );
  const floorCalls = one.at(-1)?.calls.run ?? 0;
  console.log(
    `\nThe floor, which is the ${floorCalls} calls to Cloud Run that one region takes, in a row: ${seconds(floorCalls * latencyMs)}`,
  );
  console.log(`${ratio.toFixed(2)} times the chain of one region; the aim is ${AIM} at most`);
  return ratio <= AIM;
}

function row(regions: number, runs: readonly Run[]): string[] {
  const times = runs.map(run => run.restoredMs);
  const calls = Object.entries(runs.at(-1)?.calls ?? {}).map(([callee, count]) => `${callee} ${count}`);
  return [String(regions), seconds(median(times)), times.map(seconds).join(' '), calls.join(', ')];
}

async function runs(regions: number, options: { runs: string; latency: string }): Promise<Run[]> {
  const done: Run[] = [];
  for (let run = 0; run < Number(options.runs); run++)
    done.push(await restoreOnce(regions, Number(options.latency)));
  return done;
}

async function restoreOnce(count: number, latencyMs: number): Promise<Run> {
  const regions = await openRegions({ count, progressDeadline: '20s' });
  try {
    const rollout = await regions.reachGate();
    regions.wire.slowDown(latencyMs);
    const restored = await regions.takeBack(rollout);
    return { restoredMs: restoredMs(restored, count), calls: regions.wire.calls() };
  } finally {
    await regions.close();
  }
}

function restoredMs({ rollout, alertedMs }: TakenBack, count: number): number {
  const restored = rollout.history.filter(({ reason }) => reason === 'TargetRestored');
  if (restored.length !== count) throw new Error(`${restored.length} of ${count} regions were restored`);
  return Math.max(...restored.map(({ atMs }) => atMs)) - alertedMs;
}
