import { FilterError, type Predicate, parseFilter, type Tokens } from '../filter-expression.ts';
import { ApiError } from '../http.ts';
import type { Occurrence } from './resources.ts';

const FIELDS: Readonly<Record<string, (occurrence: Occurrence) => string>> = {
  kind: ({ kind }) => kind,
  resourceUrl: ({ resourceUri }) => resourceUri,
  resource_url: ({ resourceUri }) => resourceUri,
  noteProjectId: ({ noteName }) => noteName.split('/')[1] ?? '',
  noteId: ({ noteName }) => noteName.split('/')[3] ?? '',
};

/**
 * The part of the filter language that looks up occurrences: `kind="VULNERABILITY"`, `resourceUrl="…"`,
 * `has_prefix(resourceUrl, "…")`, `has_suffix(…)`, joined by AND and OR.
 * https://cloud.google.com/artifact-analysis/docs/investigate-vulnerabilities
 */
export function parseOccurrenceFilter(text: string): Predicate<Occurrence> {
  if (text === '') return () => true;
  try {
    return parseFilter(text, { comparison: readComparison, implicitAnd: false });
  } catch (error) {
    if (error instanceof FilterError) throw new ApiError('INVALID_ARGUMENT', error.message);
    throw error;
  }
}

function readComparison(tokens: Tokens): Predicate<Occurrence> {
  if (tokens.take('has_prefix')) return readCall(tokens, (value, part) => value.startsWith(part));
  if (tokens.take('has_suffix')) return readCall(tokens, (value, part) => value.endsWith(part));
  const field = readField(tokens);
  tokens.require('=');
  const wanted = tokens.requireKind('string');
  return occurrence => field(occurrence) === wanted;
}

function readCall(tokens: Tokens, holds: (value: string, part: string) => boolean): Predicate<Occurrence> {
  tokens.require('(');
  const field = readField(tokens);
  tokens.require(',');
  const part = tokens.requireKind('string');
  tokens.require(')');
  return occurrence => holds(field(occurrence), part);
}

function readField(tokens: Tokens): (occurrence: Occurrence) => string {
  const known = Object.entries(FIELDS).find(([name]) => tokens.take(name));
  if (!known) throw tokens.expected(`one of ${Object.keys(FIELDS).join(', ')}`);
  return known[1];
}
