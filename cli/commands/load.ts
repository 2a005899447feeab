import { setTimeout } from 'node:timers/promises';
import { realClock } from '../../local/clock.ts';
import { type Load, startLoad } from '../../local/dataplane/load.ts';
import { data, type Format } from '../data.ts';
import { type Latency, type LoadReport, LoadTally } from '../load-tally.ts';
import { type Answer, lines, painter, printable, safeTable, type Terminal } from '../output.ts';
import { interruption } from '../records.ts';

export interface LoadOptions {
  readonly requestsPerSecond: number;
  readonly durationSeconds: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Requests that may wait for their answer at once. */
  readonly concurrency: number;
  readonly timeoutMs: number;
  /** `200`, `3xx`; every status below 500 without any. */
  readonly expectStatus?: readonly string[] | undefined;
  readonly output: Format;
}

const LOOK_MS = 200;
/** At the end, so that nobody waits for the table. */
const SHORT_LOOK_MS = 20;

/** `slipway load`: steady requests, whatever the answers are, and who gave them. */
export async function load(url: URL, options: LoadOptions, terminal: Terminal): Promise<Answer> {
  const tally = new LoadTally(expectation(options.expectStatus));
  const sinceMs = Date.now();
  const requests = Math.max(1, Math.round(options.requestsPerSecond * options.durationSeconds));
  const running = startLoad({
    url: url.origin,
    path: `${url.pathname}${url.search}`,
    ratePerSecond: options.requestsPerSecond,
    requests,
    headers: () => options.headers,
    clock: realClock,
    maxInFlight: options.concurrency,
    timeoutMs: options.timeoutMs,
    keepRecent: 1,
    onOutcome: outcome => tally.add(outcome),
  });
  const isWhole = await follow(running, tally, { sinceMs, requests, ...options }, terminal);
  const report = reportOf(url, running, tally, sinceMs);
  running.giveUp();
  terminal.out(
    options.output === 'text' ? lines(told(report, options, terminal)) : await data(report, options.output),
  );
  if (!isWhole && report.answered + report.errors === 0) return 'interrupted';
  return report.bad + report.errors === 0 ? 'yes' : 'no';
}

interface Followed {
  readonly sinceMs: number;
  readonly requests: number;
  readonly durationSeconds: number;
}

/** Shows how it stands until all was sent and answered, or Ctrl-C. @returns whether it got to the end */
async function follow(
  running: Load,
  tally: LoadTally,
  { sinceMs, requests, durationSeconds }: Followed,
  terminal: Terminal,
): Promise<boolean> {
  const { canRedraw, err } = terminal;
  const { signal, end } = interruption(terminal);
  try {
    while (!signal.aborted) {
      const { sent, skipped, inFlight } = running.snapshot();
      if (sent + skipped >= requests && inFlight === 0) return true;
      const seconds = (Date.now() - sinceMs) / 1000;
      if (canRedraw) err(`\r\u001b[K${liveLine(running, tally, seconds, durationSeconds)}`);
      const isNearEnd = sent + skipped >= requests || durationSeconds - seconds < LOOK_MS / 1000;
      await setTimeout(isNearEnd ? SHORT_LOOK_MS : LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
    return false;
  } finally {
    if (canRedraw) err('\r\u001b[K');
    end();
  }
}

function liveLine(running: Load, tally: LoadTally, seconds: number, duration: number): string {
  const { sent, inFlight } = running.snapshot();
  const { p95Ms } = tally.latency();
  const shares = tally
    .groups()
    .slice(0, 3)
    .map(({ version, revision, answered }) => {
      const name = printable(version ?? revision ?? '?').slice(0, 30);
      return `${name} ${((answered / tally.answered) * 100).toFixed(0)} %`;
    });
  const parts = [
    `${Math.min(seconds, duration).toFixed(0)} of ${duration} s`,
    `${sent} sent`,
    `${tally.bad + tally.errors} bad`,
    ...(p95Ms === undefined ? [] : [`p95 ${p95Ms} ms`]),
    ...(inFlight > 0 ? [`${inFlight} waiting`] : []),
    ...shares,
  ];
  return parts.join(', ');
}

function expectation(expected: readonly string[] | undefined): (status: number) => boolean {
  if (!expected || expected.length === 0) return status => status < 500;
  const patterns = expected.map(text => new RegExp(`^${text.replaceAll('x', '\\d')}$`));
  return status => patterns.some(pattern => pattern.test(String(status)));
}

function reportOf(url: URL, running: Load, tally: LoadTally, sinceMs: number): LoadReport {
  const { sent, skipped, inFlight } = running.snapshot();
  return {
    url: url.href,
    seconds: Math.round((Date.now() - sinceMs) / 100) / 10,
    sent,
    answered: tally.answered,
    bad: tally.bad,
    errors: tally.errors,
    skipped,
    waiting: inFlight,
    groups: tally.groups(),
    ...tally.counts(),
    latency: tally.latency(),
  };
}

function told(report: LoadReport, { concurrency }: LoadOptions, terminal: Terminal): string[] {
  const paint = painter(terminal);
  const { url, seconds, sent, answered, bad, errors, skipped, waiting } = report;
  const wrong = bad + errors;
  const summary = `${printable(url)}: ${sent} requests in ${seconds} s, ${answered} answered, ${bad} bad, ${errors} without an answer`;
  return [
    paint(wrong > 0 ? 'red' : 'green', summary),
    ...(waiting > 0 ? [`${waiting} were still waiting for their answer`] : []),
    ...(skipped > 0
      ? [
          paint(
            'yellow',
            `${skipped} were due and not sent: ${concurrency} were waiting already, --concurrency allows more`,
          ),
        ]
      : []),
    '',
    ...groupTable(report, terminal.columns),
    ...safeTable(codeRows(report), terminal.columns),
  ];
}

function groupTable({ groups, answered, bad, latency }: LoadReport, columns: number | undefined): string[] {
  if (groups.length === 0 && answered === 0) return [];
  const header = [
    'VERSION',
    'REVISION',
    'ARCH',
    'REGION',
    'REQUESTS',
    'SHARE',
    'BAD',
    'P50',
    'P95',
    'P99',
    'MAX',
  ];
  const rows = groups.map(group => [
    ...[group.version, group.revision, group.architecture, group.region].map(name => name ?? '-'),
    ...numbers(group.answered, answered, group.bad, group.latency),
  ]);
  const whole = ['all', '', '', '', ...numbers(answered, answered, bad, latency)];
  return [...safeTable([header, ...rows, ...(rows.length === 1 ? [] : [whole])], columns), ''];
}

function numbers(
  answered: number,
  all: number,
  bad: number,
  { p50Ms, p95Ms, p99Ms, maxMs }: Latency,
): string[] {
  const share = all === 0 ? '-' : `${((answered / all) * 100).toFixed(1)} %`;
  const times = [p50Ms, p95Ms, p99Ms, maxMs].map(ms => (ms === undefined ? '-' : `${ms} ms`));
  return [String(answered), share, String(bad), ...times];
}

function codeRows({ statuses, errorKinds }: LoadReport): string[][] {
  const kinds = [
    ...Object.entries(statuses).map(([status, amount]) => [`status ${status}`, String(amount)]),
    ...Object.entries(errorKinds).map(([kind, amount]) => [kind, String(amount)]),
  ];
  return [['CAME BACK', 'REQUESTS'], ...kinds];
}
