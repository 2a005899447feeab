import { FilterError, type Predicate, parseFilter, type Tokens } from '../filter-expression.ts';
import { ApiError } from '../http.ts';

export type Attributes = Readonly<Record<string, string>>;

const MAX_BYTES = 256;

/**
 * A subscription's filter: `attributes.k = "v"`, `!=`, `attributes:k` and `hasPrefix(attributes.k, "v")`, joined by
 * AND, OR, NOT. Only attributes can be filtered on. https://cloud.google.com/pubsub/docs/subscription-message-filter
 */
export function parseSubscriptionFilter(text: string): Predicate<Attributes> {
  if (text === '') return () => true;
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw new ApiError('INVALID_ARGUMENT', `The filter is longer than ${MAX_BYTES} bytes: ${text}`);
  }
  try {
    return parseFilter(text, { comparison: readComparison, implicitAnd: false });
  } catch (error) {
    if (error instanceof FilterError) throw new ApiError('INVALID_ARGUMENT', error.message);
    throw error;
  }
}

function readComparison(tokens: Tokens): Predicate<Attributes> {
  if (tokens.take('hasPrefix')) return readHasPrefix(tokens);
  tokens.require('attributes');
  if (tokens.take(':')) {
    const key = readKey(tokens);
    return attributes => attributes[key] !== undefined;
  }
  tokens.require('.');
  const key = readKey(tokens);
  if (tokens.take('=')) {
    const value = tokens.requireKind('string');
    return attributes => attributes[key] === value;
  }
  if (!tokens.take('!=')) throw tokens.expected('"=" or "!="');
  const value = tokens.requireKind('string');
  return attributes => attributes[key] !== value;
}

function readHasPrefix(tokens: Tokens): Predicate<Attributes> {
  tokens.require('(');
  tokens.require('attributes');
  tokens.require('.');
  const key = readKey(tokens);
  tokens.require(',');
  const prefix = tokens.requireKind('string');
  tokens.require(')');
  return attributes => attributes[key]?.startsWith(prefix) ?? false;
}

function readKey(tokens: Tokens): string {
  return tokens.takeKind('word') ?? tokens.requireKind('string');
}
