import type { Backend, ServedBy } from './dataplane.ts';

/** By weight; undefined when no backend has any. @param random from 0 up to and without 1 */
export function chooseBackend(backends: readonly Backend[], random: number): Backend | undefined {
  const total = backends.reduce((sum, backend) => sum + backend.weight, 0);
  let left = random * total;
  for (const backend of backends) {
    if (backend.weight > 0 && left < backend.weight) return backend;
    left -= backend.weight;
  }
  // Sums of fractions may leave a crumb behind the last one.
  return backends.findLast(backend => backend.weight > 0);
}

/** Takes the instances of each backend in turn. */
export class RoundRobin {
  readonly #turns = new Map<string, number>();

  /** All urls, the one whose turn it is first, so that the rest are what to try next. */
  order(backend: Backend): string[] {
    const key = keyOf(backend.by);
    const turn = this.#turns.get(key) ?? 0;
    this.#turns.set(key, turn + 1);
    const start = backend.urls.length === 0 ? 0 : turn % backend.urls.length;
    return [...backend.urls.slice(start), ...backend.urls.slice(0, start)];
  }
}

function keyOf(by: ServedBy): string {
  return by.kind === 'cloudRun'
    ? `${by.project}/${by.region}/${by.service}/${by.revision}`
    : `${by.project}/${by.location}/${by.cluster}/${by.namespace}/${by.service}:${by.port}`;
}
