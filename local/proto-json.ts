import { z } from 'zod';
import { ApiError, type HttpRequest } from './http.ts';

/** Protocol Buffers as JSON: what the Google clients send and accept, https://protobuf.dev/programming-guides/json. */

/** `1.5s` */
export const duration = z.string().regex(/^\d+(\.\d+)?s$/, 'expected a duration in seconds such as "90s"');

export function millisOf(text: string): number {
  return Math.round(Number(text.slice(0, -1)) * 1000);
}

/**
 * An enumeration by name or number: clients send numbers (`enum-encoding=int`), people write names; kept as name.
 * Place in `names` is the number; an empty string marks a number that is not in use.
 */
export function protoEnum<const T extends string>(names: readonly T[]) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const name = typeof value === 'number' ? names[value] : names.find(known => known === value);
    if (name !== undefined && name !== '') return name as Exclude<T, ''>;
    context.addIssue({ code: 'custom', message: `expected one of ${names.filter(Boolean).join(', ')}` });
    return z.NEVER;
  });
}

export function readBody<S extends z.ZodType>(request: HttpRequest, schema: S): z.output<S> {
  return check(parseJson(request), schema);
}

/** All violations in one message, as the APIs name them: `Invalid value at 'goal': …`. */
export function check<S extends z.ZodType>(value: unknown, schema: S): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(issue => {
    const { message } = issue.code === 'invalid_key' ? (issue.issues[0] ?? issue) : issue;
    return `Invalid value at '${issue.path.join('.')}': ${message}`;
  });
  throw new ApiError('INVALID_ARGUMENT', problems.join('; '));
}

function parseJson(request: HttpRequest): unknown {
  if (request.body.length === 0) return {};
  try {
    return JSON.parse(request.body.toString('utf8'));
  } catch (error) {
    throw new ApiError('INVALID_ARGUMENT', `Invalid JSON payload received. ${String(error)}`);
  }
}
