import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { cpuMs, type Metered, meterCpu } from '../../../../local/dataplane/cpu.ts';
import type { Consumer } from '../../../../local/dataplane/dataplane.ts';

const BY = { kind: 'container', namespace: 'default', pod: 'hello-1', container: 'hello' } as const;

/** An instance that says how much CPU time it has used. */
function using(read: () => number | undefined, consumer: Consumer | undefined): Metered {
  const workload = {
    name: 'hello',
    image: 'hello',
    architecture: 'amd64',
    location: 'us',
    env: {},
    consumer,
  } as const;
  return {
    workload,
    cpuMs: read,
    state: () => ({ phase: 'stopped' }),
    onChange: () => () => {},
    stop: async () => {},
  };
}

describe('the meter', () => {
  test('says what share of the promised CPUs was used since the last look', async () => {
    const clock = new VirtualClock();
    let usedMs = 500;
    const shares: number[] = [];
    const instances = new Set([using(() => usedMs, { by: BY, cpus: 2 })]);
    const stop = meterCpu(instances, clock, 1000, (_, share) => shares.push(share));
    await clock.advance(1000);
    usedMs += 1000;
    await clock.advance(1000);
    await clock.advance(1000);
    stop();
    await clock.advance(5000);
    expect(shares).toEqual([0.5, 0]);
  });

  test.each<[string, () => number | undefined, Consumer | undefined]>([
    ['whose CPU time is not known', () => undefined, { by: BY, cpus: 1 }],
    ['that was promised none', () => 1, { by: BY, cpus: 0 }],
    ['that nobody asked about', () => 1, undefined],
  ])('says nothing of one %s', async (_what, read, consumer) => {
    const clock = new VirtualClock();
    const shares: number[] = [];
    meterCpu(new Set([using(read, consumer)]), clock, 1000, (_, share) => shares.push(share));
    await clock.advance(3000);
    expect(shares).toEqual([]);
  });
});

test.skipIf(!existsSync('/proc/self/stat'))('the system says how much a process has used', async () => {
  const busy =
    "const until = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < until); console.log('done'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, ['-e', busy], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    expect(cpuMs(child.pid ?? 0)).toBeGreaterThanOrEqual(190);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  expect(cpuMs(child.pid ?? 0)).toBeUndefined();
});
