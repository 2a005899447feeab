import type { ServedWeight } from './measure.ts';
import type { Figures, Outcome } from './scenarios.ts';
import type { View } from './view.ts';

/** The end of the demo: what was expected, what was measured. */
export function printReport(view: View, outcomes: readonly Outcome[], figures: Figures): void {
  const { weights, rollbacks } = figures;
  if (weights.length > 0) {
    view.heading('Weights really served (canary requests of all requests at that weight)');
    table(view, [['TARGET', 'WEIGHT', 'SERVED', 'REQUESTS', 'BOUNDS', ''], ...weights.map(weightRow)]);
  }
  if (rollbacks.length > 0) view.heading('Rollbacks');
  for (const { version, cause, bad, requests, ...timing } of rollbacks) {
    view.line(
      `${version}: ${bad} of ${requests} answers were bad; ${timing.secondsFromFirstBadToCause} s from the first of them to ` +
        `the ${cause === 'Judge' ? 'verdict' : "alert's message"}, ${timing.secondsFromCauseToRestored} s from there to every target restored ` +
        `(the calls of one target in a row take ${timing.floorSeconds} s)`,
    );
  }
  view.heading('Expected and measured');
  table(view, [
    ['', 'SCENARIO', 'EXPECTED', 'MEASURED'],
    ...outcomes.map(({ name, expected, actual, ok }) => [ok ? '✔' : '✖', name, expected, actual]),
  ]);
  const failed = outcomes.filter(({ ok }) => !ok).length;
  view.line(
    failed === 0
      ? `\nAll of it held, in ${figures.seconds} s.`
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
