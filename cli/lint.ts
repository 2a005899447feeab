import { LineCounter, parseDocument } from 'yaml';
import { type Detection, detect, type ExpectedTraffic } from '../functions/rollout/detection.ts';
import { findings } from '../functions/rollout/detection-warnings.ts';
import { parsePolicy } from '../functions/rollout/policy.ts';
import { locate, type Source } from '../functions/rollout/policy-problems.ts';
import { lintWorkflow } from '../local/workflows/lint.ts';

export interface LintedFile {
  readonly file: string;
  readonly kind: 'policy' | 'workflow';
  readonly problems: readonly LintProblem[];
  /** Per service of a policy without errors: what judge and alerts can see. */
  readonly detections: readonly Detection[];
}

/** Lines and columns count from 1. */
export interface LintProblem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** In a policy: `services[0].strategy`. */
  readonly path: string;
  readonly message: string;
}

/** What the deployment of the workflows sets. */
const WORKFLOW_VARIABLES = ['ACTIVITY_URL'];

export function lintFile(file: string, source: string, traffic: ExpectedTraffic): LintedFile {
  return isWorkflow(source) ? lintWorkflowFile(file, source) : lintPolicy(file, source, traffic);
}

/** `rollouts.yaml:12:9: error: services[0].name: expected …` */
export function printLintProblem({ severity, file, line, column, path, message }: LintProblem): string {
  const text = path ? `${path}: ${message}` : message;
  // What Cloud Workflows says of a definition begins like this already.
  const told = text.startsWith(`${severity} in `) ? text : `${severity}: ${text}`;
  return `${file}:${line}:${column}: ${told}`;
}

/** A workflow is a map of subworkflows, `main` among them. */
function isWorkflow(source: string): boolean {
  return /^(?:main|"main"|'main')\s*:/m.test(source) && !/^services\s*:/m.test(source);
}

function lintWorkflowFile(file: string, source: string): LintedFile {
  const problems = lintWorkflow(source, WORKFLOW_VARIABLES).map(problem => ({ ...problem, file, path: '' }));
  return { file, kind: 'workflow', problems, detections: [] };
}

function lintPolicy(file: string, source: string, traffic: ExpectedTraffic): LintedFile {
  const result = parsePolicy(source, file);
  if (!result.ok) {
    const problems = result.problems.map(problem => ({ severity: 'error' as const, ...problem }));
    return { file, kind: 'policy', problems, detections: [] };
  }
  const lines = new LineCounter();
  const place: Source = { document: parseDocument(source, { lineCounter: lines }), lines, file };
  const detections = result.policy.services.map(service => detect(service, traffic));
  const problems = detections.flatMap((detection, index) =>
    findings(detection).map(({ path, message }) => ({
      severity: 'warning' as const,
      ...locate(place, ['services', index, ...path], message, true),
    })),
  );
  return { file, kind: 'policy', problems, detections };
}
