import { encodeJson } from './json.ts';
import type { Position } from './source.ts';
import { isList, isMap, mapOf, type Value } from './values.ts';

export interface Frame {
  readonly step: string;
  readonly routine: string;
  readonly position: Position;
}

/** An error of the workflow: what `except` sees, and where it came from. */
export class Raised extends Error {
  override readonly name = 'Raised';
  readonly value: Value;
  /** False for exhausted limits of the execution: no `except` sees those. */
  readonly catchable: boolean;
  /** One per routine on the stack, innermost first. */
  readonly frames: Frame[] = [];
  #lastInvocation: object | undefined;

  constructor(value: Value, catchable = true) {
    super(firstLine(value));
    this.value = value;
    this.catchable = catchable;
  }

  /** Adds a frame unless an inner step of the same invocation of a routine has already told where it was. */
  addFrame(invocation: object, frame: Frame): void {
    if (!this.catchable || this.#lastInvocation === invocation) return;
    this.#lastInvocation = invocation;
    this.frames.push(frame);
  }

  context(): string {
    const where = this.frames.map(
      ({ step, routine, position }) => `in step "${step}", routine "${routine}", line: ${position.line}`,
    );
    return [this.message, ...where].join('\n');
  }
}

function firstLine(value: Value): string {
  const message = isMap(value) ? value.get('message') : undefined;
  if (isMap(value) && typeof message === 'string' && isList(value.get('tags'))) return message;
  return `RuntimeError: ${printable(value)}`;
}

function printable(value: Value): string {
  try {
    return encodeJson(value);
  } catch (error) {
    return String(error);
  }
}

/** Tags follow the exception hierarchy of the documented ones: the specific tag first, then its parents. */
const PARENT_TAGS: Readonly<Record<string, readonly string[]>> = {
  KeyError: ['LookupError'],
  IndexError: ['LookupError'],
  ZeroDivisionError: ['ArithmeticError'],
  TimeoutError: ['OSError'],
  ConnectionError: ['OSError'],
  ConnectionFailedError: ['OSError'],
  UnhandledBranchError: ['RuntimeError'],
};

export type Tag =
  | 'TypeError'
  | 'ValueError'
  | 'KeyError'
  | 'IndexError'
  | 'ZeroDivisionError'
  | 'RecursionError'
  | 'AuthError'
  | 'TimeoutError'
  | 'ConnectionError'
  | 'ConnectionFailedError'
  | 'HttpError'
  | 'UnhandledBranchError'
  | 'ParallelNestingError'
  | 'SystemError';

/** An error of the service with exactly this message. */
export function raised(tag: Tag, message: string, details: Readonly<Record<string, Value>> = {}): Raised {
  const tags = [tag, ...(PARENT_TAGS[tag] ?? [])];
  return new Raised(mapOf({ ...details, message, tags }));
}

/** The usual form, with the tag in front of the message. */
export function failure(tag: Tag, message: string): Raised {
  return raised(tag, `${tag}: ${message}`);
}

export function limitExceeded(message: string): Raised {
  const tags = ['ResourceLimitError'];
  return new Raised(mapOf({ message: `ResourceLimitError: ${message}`, tags }), false);
}
