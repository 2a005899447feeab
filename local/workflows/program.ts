import type { Expression, Target } from './expressions.ts';
import type { Position } from './source.ts';
import type { Value } from './values.ts';

/** A compiled workflow. Everything in it has been checked: the interpreter meets no unknown name and no unknown key. */
export interface Program {
  /** `main` and the subworkflows. */
  readonly routines: ReadonlyMap<string, Routine>;
}

export interface Routine {
  readonly name: string;
  readonly params: readonly Param[];
  readonly steps: readonly Step[];
  readonly scope: Scope;
  readonly position: Position;
}

export interface Param {
  readonly name: string;
  /** Undefined: the caller has to give it. */
  readonly fallback: Value | undefined;
}

/** The variables that live in one block; filled when names are resolved. */
export interface Scope {
  readonly names: Set<string>;
}

export interface Step extends Body {
  readonly name: string;
}

/** What a step does; also one alternative of a switch, and what stands under `try` and `except`. */
export interface Body {
  readonly action: Action;
  readonly next: Next | undefined;
  /** Of the key that says what the step does. */
  readonly position: Position;
}

export type Next =
  | { readonly kind: 'step'; readonly name: string; readonly position: Position }
  | { readonly kind: 'end' | 'break' | 'continue'; readonly position: Position };

export type Action =
  | { readonly kind: 'assign'; readonly assignments: readonly Assignment[] }
  | CallAction
  | { readonly kind: 'switch'; readonly cases: readonly Case[] }
  | { readonly kind: 'for'; readonly loop: Loop }
  | ParallelAction
  | TryAction
  | { readonly kind: 'raise' | 'return'; readonly value: Template }
  | { readonly kind: 'steps'; readonly steps: readonly Step[] }
  /** Only a `next`. */
  | { readonly kind: 'jump' };

export interface Assignment {
  readonly target: Target;
  readonly value: Template;
  readonly position: Position;
}

export interface CallAction {
  readonly kind: 'call';
  readonly callee: string;
  readonly args: Arguments;
  readonly result: string | undefined;
}

export type Arguments =
  | { readonly kind: 'named'; readonly entries: readonly (readonly [string, Template])[] }
  | { readonly kind: 'positional'; readonly items: readonly Template[] };

export interface Case {
  readonly condition: Template;
  readonly body: Body;
}

export interface Loop {
  readonly value: string;
  readonly index: string | undefined;
  readonly over: 'list' | 'range';
  readonly in: Template;
  readonly steps: readonly Step[];
  readonly scope: Scope;
  readonly position: Position;
}

export interface ParallelAction {
  readonly kind: 'parallel';
  readonly shared: readonly string[];
  readonly concurrencyLimit: Template | undefined;
  readonly work:
    | { readonly kind: 'for'; readonly loop: Loop }
    | { readonly kind: 'branches'; readonly branches: readonly Branch[] };
}

export interface Branch {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly scope: Scope;
}

export interface TryAction {
  readonly kind: 'try';
  readonly body: Body;
  readonly retry: RetryPolicy | undefined;
  readonly except: Except | undefined;
}

export interface RetryPolicy {
  /** A predicate of the standard library or a subworkflow of one parameter. */
  readonly predicate: string;
  readonly maxRetries: Template;
  readonly initialDelay: Template;
  readonly maxDelay: Template;
  readonly multiplier: Template;
}

export interface Except {
  readonly as: string | undefined;
  readonly body: Body;
  readonly scope: Scope;
}

/** A value in the source in which any part may be an expression. */
export type Template =
  | { readonly kind: 'literal'; readonly value: Value; readonly position: Position }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly position: Position }
  | { readonly kind: 'list'; readonly items: readonly Template[]; readonly position: Position }
  | {
      readonly kind: 'map';
      readonly entries: readonly (readonly [Template, Template])[];
      readonly position: Position;
    };
