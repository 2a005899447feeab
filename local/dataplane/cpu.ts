import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Consumer, Instance } from './dataplane.ts';

/** Clock ticks per second in /proc: Linux has 100 wherever Node runs, `getconf CLK_TCK`. */
const TICK_MS = 10;

/** CPU time of a process so far. undefined where the system does not say (only Linux has /proc) or it has ended. */
export function cpuMs(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name, in parentheses, and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined;
  }
}

export interface Metered extends Instance {
  /** CPU time so far, if that can be known. */
  cpuMs(): number | undefined;
}

/** `share` of the CPUs that were promised, since the last time. */
export type OnCpu = (consumer: Consumer, share: number, atMs: number) => void;

/** Looks at all instances every so often. The returned function ends that. */
export function meterCpu(
  instances: ReadonlySet<Metered>,
  clock: Clock,
  everyMs: number,
  onCpu: OnCpu,
): () => void {
  const before = new WeakMap<Metered, { readonly usedMs: number; readonly atMs: number }>();
  let cancel = clock.after(everyMs, look);
  function look(): void {
    cancel = clock.after(everyMs, look);
    for (const instance of instances) {
      const { consumer } = instance.workload;
      const usedMs = consumer && consumer.cpus > 0 ? instance.cpuMs() : undefined;
      if (!consumer || usedMs === undefined) continue;
      const atMs = clock.nowMs();
      const last = before.get(instance);
      before.set(instance, { usedMs, atMs });
      if (last && atMs > last.atMs) {
        onCpu(consumer, (usedMs - last.usedMs) / (atMs - last.atMs) / consumer.cpus, atMs);
      }
    }
  }
  return () => cancel();
}
