import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import type { StackEntry } from '../../local/workflows/machine.ts';

/** A step as its stack names it, outermost routine first: `main.promote > until_done.ask > activity.call_function`. */
export type StepPath = string;

export function pathOf(stack: readonly StackEntry[]): StepPath {
  return stack.map(({ routine, step }) => `${routine}.${step}`).join(' > ');
}

/** Every step of a workflow, once for each way of calls that leads to it. */
export function stepsOf(workflow: 'rollout' | 'rollback'): StepPath[] {
  const routines = z.record(z.string(), z.object({ steps: z.array(step) })).parse(sourceOf(workflow));
  const paths = new Set<StepPath>();

  function walkRoutine(name: string, callers: string): void {
    const routine = routines[name];
    if (routine) for (const one of routine.steps) walkStep(one, name, callers);
  }
  function walkStep(one: z.output<typeof step>, routine: string, callers: string): void {
    for (const [name, body] of Object.entries(one)) {
      const path = `${callers}${routine}.${name}`;
      paths.add(path);
      walkBody(body, routine, callers, path);
    }
  }
  /** Whatever stands below a step: nested lists of steps are of the same routine, calls and predicates of another. */
  function walkBody(body: unknown, routine: string, callers: string, path: string): void {
    if (Array.isArray(body)) for (const item of body) walkBody(item, routine, callers, path);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return;
    for (const [key, value] of Object.entries(body)) {
      if (key === 'steps') for (const one of z.array(step).parse(value)) walkStep(one, routine, callers);
      else if (key === 'call') walkRoutine(String(value), `${path} > `);
      else if (key === 'predicate') walkRoutine(/\{(.*)\}/.exec(String(value))?.[1] ?? '', `${path} > `);
      else if (key !== 'args') walkBody(value, routine, callers, path);
    }
  }
  walkRoutine('main', '');
  return [...paths];
}

const step = z.record(z.string(), z.unknown());

function sourceOf(workflow: 'rollout' | 'rollback'): unknown {
  return parse(readFileSync(new URL(`../../workflows/${workflow}.yaml`, import.meta.url), 'utf8'));
}

const patientCall = z.object({ call: z.literal('until_done'), args: z.object({ activity: z.string() }) });

/** The activities that the rollout asks for until they are done. */
export function patientActivities(): ReadonlySet<string> {
  const found = new Set<string>();
  function search(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    const call = patientCall.safeParse(value);
    if (call.success) found.add(call.data.args.activity);
    for (const inner of Object.values(value)) search(inner);
  }
  search(sourceOf('rollout'));
  return found;
}
