import type { ServedWeight } from './measure.ts';
import { type Figures, type Outcome, weightRows } from './scenarios.ts';
import type { View } from './view.ts';

/** The end of the demo: what was expected, what was measured. */
export function printReport(view: View, outcomes: readonly Outcome[], figures: Figures): void {
  view.heading('Weights really served (canary requests of all requests at that weight)');
  table(view, [
    ['TARGET', 'WEIGHT', 'SERVED', 'REQUESTS', 'BOUNDS', ''],
    ...weightRows(figures).map(weightRow),
  ]);
  view.heading('Rollbacks');
  for (const version of ['v1.2.0', 'v1.2.1']) {
    const timing = figures[version];
    if (typeof timing !== 'object' || timing === null) continue;
    const parts = Object.entries(timing).map(
      ([what, value]) => `${what} ${value}${what.includes(' ') ? ' s' : ''}`,
    );
    view.line(`${version}: ${parts.join(', ')}`);
  }
  view.heading('Expected and measured');
  table(view, [
    ['', 'SCENARIO', 'EXPECTED', 'MEASURED'],
    ...outcomes.map(({ name, expected, actual, ok }) => [ok ? '✔' : '✖', name, expected, actual]),
  ]);
  const failed = outcomes.filter(({ ok }) => !ok).length;
  view.line(
    failed === 0
      ? `\nAll of it held, in ${figures['seconds']} s.`
      : `\n${failed} of ${outcomes.length} did not come out as expected.`,
  );
}

function weightRow({ target, weight, requests, canary, bounds, ok }: ServedWeight): string[] {
  const served = requests === 0 ? '-' : `${((canary / requests) * 100).toFixed(1)}%`;
  return [
    target,
    `${weight}%`,
    served,
    `${canary} of ${requests}`,
    `${bounds[0]} to ${bounds[1]}`,
    ok ? '✔' : '✖',
  ];
}

function table(view: View, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)));
  for (const row of rows)
    view.line(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
