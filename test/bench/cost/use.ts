/** What something uses, by name: steps, documents, calls, bytes. What is not named is not used. */
export type Use = Readonly<Record<string, number>>;

export function sum(uses: readonly Use[]): Use {
  const total: Record<string, number> = {};
  for (const use of uses)
    for (const [name, many] of Object.entries(use)) total[name] = (total[name] ?? 0) + many;
  return total;
}

export function times(use: Use, factor: number): Use {
  return Object.fromEntries(Object.entries(use).map(([name, many]) => [name, many * factor]));
}

/** @param prefix with its dot, such as `calls.` */
export function countOf(use: Use, prefix: string): number {
  return Object.entries(use).reduce((total, [name, many]) => total + (name.startsWith(prefix) ? many : 0), 0);
}
