import type { protos } from '@google-cloud/workflows';
import { EXECUTION_STATES } from './execution-states.ts';

/** An execution as it is shown; times in RFC 3339, argument and result as JSON text. */
export interface ShownExecution {
  readonly name: string;
  readonly id: string;
  readonly workflow: string;
  readonly location: string;
  readonly revision: string | undefined;
  readonly state: string;
  readonly startTime: string | undefined;
  readonly endTime: string | undefined;
  readonly duration: string | undefined;
  readonly argument: string | undefined;
  /** The rollout that it is about, where its argument says so. */
  readonly rollout: string | undefined;
  /** Where it is now, the outermost routine first. */
  readonly steps: readonly { readonly routine: string; readonly step: string }[];
  readonly result: string | undefined;
  readonly error: { readonly message: string; readonly stack: readonly string[] } | undefined;
}

type Execution = protos.google.cloud.workflows.executions.v1.IExecution;

/** As the API tells it, and as the local engine has it. */
interface Raised {
  readonly payload?: string | null;
  readonly context?: string | null;
  readonly stackTrace?: { readonly elements?: readonly Frame[] | null } | null;
}

interface Frame {
  readonly step?: string | null;
  readonly routine?: string | null;
  readonly position?: { readonly line?: unknown; readonly column?: unknown } | null;
}

/** By the numbers that the API gives them. */
const STATES = ['STATE_UNSPECIFIED', ...EXECUTION_STATES];

export function shownExecution(execution: Execution): ShownExecution {
  const { name, state, argument, result, error, status, startTime, endTime, duration } = execution;
  const [, , , location = '', , workflow = '', , id = ''] = (name ?? '').split('/');
  return {
    name: name ?? '',
    id,
    workflow,
    location,
    revision: execution.workflowRevisionId || undefined,
    state:
      typeof state === 'number' ? (STATES[state] ?? String(state)) : String(state ?? 'STATE_UNSPECIFIED'),
    startTime: instantOf(startTime),
    endTime: instantOf(endTime),
    duration: duration ? `${secondsOf(duration)}s` : undefined,
    argument: argument || undefined,
    rollout: rolloutIn(argument),
    steps: (status?.currentSteps ?? []).map(({ routine, step }) => ({
      routine: routine ?? '',
      step: step ?? '',
    })),
    result: result || undefined,
    error: error ? shownError(error) : undefined,
  };
}

/** `main.each_wave > wait.look` */
export function stepsOf({ steps }: ShownExecution): string {
  return steps.map(({ routine, step }) => `${routine}.${step}`).join(' > ') || '-';
}

interface Instant {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

function secondsOf({ seconds, nanos }: Instant): number {
  return Math.round((Number(seconds ?? 0) + (nanos ?? 0) / 1e9) * 1000) / 1000;
}

function instantOf(time: Instant | null | undefined): string | undefined {
  return time ? new Date(secondsOf(time) * 1000).toISOString() : undefined;
}

function rolloutIn(argument: string | null | undefined): string | undefined {
  try {
    const { rollout }: { rollout?: unknown } = JSON.parse(argument ?? '') ?? {};
    return typeof rollout === 'string' ? rollout : undefined;
  } catch {
    return undefined;
  }
}

export function shownError({ payload, context, stackTrace }: Raised): NonNullable<ShownExecution['error']> {
  const places = (stackTrace?.elements ?? []).map(({ step, routine, position }) => {
    const place = position ? ` (line ${position.line}, column ${position.column})` : '';
    return `${routine}.${step}${place}`;
  });
  return { message: messageIn(payload) ?? context ?? 'unknown', stack: places };
}

/** What was raised is a text, or an object with a message; its context says so at length. */
function messageIn(payload: string | null | undefined): string | undefined {
  try {
    const raised: unknown = JSON.parse(payload ?? '');
    if (typeof raised === 'string') return raised;
    const { message }: { message?: unknown } = Object.assign({}, raised);
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
