import { type Document, isMap, isNode, isScalar, type LineCounter } from 'yaml';
import type { z } from 'zod';

/** One thing that is wrong in a policy file, and where. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** `services[0].strategy.steps[2].setWeight`; empty when the file is no YAML. */
  readonly path: string;
  readonly message: string;
}

/** What is wrong, before its place in the file is known. */
export type Issue = readonly [path: readonly PropertyKey[], message: string, onKey?: boolean];

export interface Source {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly file: string;
}

/** Finds the place of a path, or of its nearest ancestor that is in the file. */
export function locate(
  source: Source,
  path: readonly PropertyKey[],
  message: string,
  onKey = false,
): Problem {
  const { line, col } = source.lines.linePos(onKey ? keyOffset(source, path) : valueOffset(source, path));
  const found = onKey ? '' : describeFound(source, path);
  return { file: source.file, line, column: col, path: printPath(path), message: message + found };
}

/** `rollouts.yaml:12:9: services[0].name: expected …` */
export function printProblem({ file, line, column, path, message }: Problem): string {
  return `${file}:${line}:${column}: ${path ? `${path}: ` : ''}${message}`;
}

function valueOffset({ document }: Source, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function keyOffset(source: Source, path: readonly PropertyKey[]): number {
  const parent =
    path.length === 1 ? source.document.contents : source.document.getIn(path.slice(0, -1), true);
  const key = path.at(-1);
  if (isMap(parent)) {
    for (const pair of parent.items) {
      if (isScalar(pair.key) && pair.key.value === key && pair.key.range) return pair.key.range[0];
    }
  }
  return valueOffset(source, path);
}

function describeFound({ document }: Source, path: readonly PropertyKey[]): string {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isScalar(node)) return `, found ${JSON.stringify(node.value)}`;
  return node === undefined || node === null ? ', found nothing' : '';
}

function printPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((printed, part) => {
    if (typeof part === 'number') return `${printed}[${part}]`;
    return printed ? `${printed}.${String(part)}` : String(part);
  }, '');
}

/** What the schema found, in the words of the policy. */
export function issues(base: readonly PropertyKey[], error: z.ZodError): Issue[] {
  return error.issues.flatMap((issue): Issue[] => {
    const path = [...base, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map(key => [
        [...path, key],
        'unknown key; see docs/policy.md for the keys there are',
        true,
      ]);
    }
    if (issue.code === 'invalid_union') return [closestBranch(path, issue)];
    return [[path, wording(issue)]];
  });
}

/** Of a union's branches the one whose keys fit says best what was meant. */
function closestBranch(path: readonly PropertyKey[], issue: z.core.$ZodIssueInvalidUnion): Issue {
  const fitting = issue.errors.find(
    branch =>
      branch.every(inner => inner.code !== 'unrecognized_keys') &&
      branch.some(inner => inner.path.length > 0),
  );
  const [first] = fitting ?? [];
  return first ? [[...path, ...first.path], wording(first)] : [path, issue.message];
}

function wording(issue: z.core.$ZodIssue): string {
  const isStandard = issue.code === 'invalid_type' && issue.message.startsWith('Invalid input');
  return isStandard ? `expected ${issue.expected === 'array' ? 'a list' : issue.expected}` : issue.message;
}
