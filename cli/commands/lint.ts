import { readdir } from 'node:fs/promises';
import { data, type Format } from '../data.ts';
import { detectionTable } from '../detection-table.ts';
import { type LintedFile, type LintProblem, lintFile, printLintProblem } from '../lint.ts';
import { type Answer, lines, type Painter, painter, printable, type Terminal } from '../output.ts';
import { policyFileOf, readText } from '../policy-file.ts';

export interface LintOptions {
  /** To each service. */
  readonly requestsPerSecond?: number | undefined;
  /** 0 to 1. */
  readonly stableErrorRatio?: number | undefined;
  readonly strict?: boolean | undefined;
  readonly output: Format;
}

const WORKFLOWS = 'workflows';

/** `slipway lint`: what is wrong in policies and workflows, and what judge and alerts can see at each step. */
export async function lint(
  named: readonly string[],
  options: LintOptions,
  terminal: Terminal,
): Promise<Answer> {
  const files = named.length > 0 ? named : [policyFileOf(undefined, terminal.env), ...(await workflows())];
  const { requestsPerSecond, stableErrorRatio } = options;
  const traffic = { requestsPerSecond, stableErrorRatio };
  const linted: LintedFile[] = [];
  for (const file of files) linted.push(lintFile(file, await readText(file), traffic));
  terminal.out(
    options.output === 'text' ? lines(report(linted, painter(terminal))) : await data(linted, options.output),
  );
  const problems = linted.flatMap(one => one.problems);
  const isClean = problems.every(({ severity }) => severity === 'warning' && !options.strict);
  return isClean ? 'yes' : 'no';
}

/** Those beside the policy, where there are any. */
async function workflows(): Promise<string[]> {
  const names = await readdir(WORKFLOWS).catch(() => []);
  return names
    .filter(name => /\.ya?ml$/.test(name))
    .sort()
    .map(name => `${WORKFLOWS}/${name}`);
}

function report(linted: readonly LintedFile[], paint: Painter): string[] {
  const problems = linted.flatMap(one => one.problems);
  const tables = linted.flatMap(({ detections }) => detections.flatMap(one => ['', ...detectionTable(one)]));
  return [
    ...problems.map(problem => painted(problem, paint)),
    ...tables.map(printable),
    ...(problems.length + tables.length > 0 ? [''] : []),
    conclusion(linted),
  ];
}

function painted(problem: LintProblem, paint: Painter): string {
  const text = printable(printLintProblem(problem));
  return paint(problem.severity === 'error' ? 'red' : 'yellow', text);
}

function conclusion(linted: readonly LintedFile[]): string {
  const problems = linted.flatMap(one => one.problems);
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const names = linted.map(({ file }) => printable(file)).join(', ');
  return `${names}: ${count(errors, 'error')}, ${count(problems.length - errors, 'warning')}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
