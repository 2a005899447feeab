import type { Host } from './host.ts';
import { LIMITS } from './limits.ts';
import type { Program, Routine, Step } from './program.ts';
import { limitExceeded } from './raised.ts';
import { Memory, type Variables } from './variables.ts';

/** What all threads of one execution share. */
export interface Machine {
  readonly program: Program;
  readonly host: Host;
  readonly memory: Memory;
  readonly observer: Observer;
  stepsRun: number;
}

export interface Observer {
  isStopped(): boolean;
  /** Before a step runs. An observer may stop the execution in it. */
  stepStarts(stack: readonly StackEntry[]): void;
  callEnds(call: CallReport): void;
}

export interface StackEntry {
  readonly routine: string;
  readonly step: string;
}

export interface CallReport extends StackEntry {
  readonly callee: string;
  /** The message of what the call raised. */
  readonly exception: string | undefined;
}

/** Where one thread of the execution is. Every call of a routine has its own. */
export interface Thread {
  readonly machine: Machine;
  readonly routine: Routine;
  readonly variables: Variables;
  /** Identity of this call of the routine, shared by the threads that its parallel steps start. */
  readonly invocation: object;
  /** Steps of the calling routines, outermost first. */
  readonly callers: readonly StackEntry[];
  readonly parallelDepth: number;
  readonly step: string;
}

export function createMachine(program: Program, host: Host, observer: Observer): Machine {
  return { program, host, observer, memory: new Memory(), stepsRun: 0 };
}

/** Counts the step and tells the observer; false when the execution has been stopped. */
export function enterStep(thread: Thread, { name }: Step): boolean {
  const { machine, routine, callers } = thread;
  machine.stepsRun += 1;
  if (machine.stepsRun > LIMITS.steps) throw limitExceeded(`more than ${LIMITS.steps} steps`);
  machine.observer.stepStarts([...callers, { routine: routine.name, step: name }]);
  return !machine.observer.isStopped();
}
