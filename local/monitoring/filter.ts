import { FilterError, type Predicate, parseFilter, type Tokens } from '../filter-expression.ts';
import { ApiError } from '../http.ts';
import type { SeriesId } from './time-series.ts';

export interface SeriesFilter {
  /** The one metric type that it asks for. */
  readonly metricType: string;
  readonly matches: Predicate<SeriesId>;
}

type Read = (series: SeriesId) => string | undefined;

/**
 * A filter over time series: comparisons of `metric.type`, `metric.labels.K`, `resource.type`, `resource.labels.K` and
 * `project` by `=` and `!=` with a value, `one_of(…)`, `starts_with(…)`, `ends_with(…)`, `has_substring(…)` or
 * `monitoring.regex.full_match(…)`. https://cloud.google.com/monitoring/api/v3/filters
 */
export function parseSeriesFilter(text: string): SeriesFilter {
  const metricTypes = new Set<string>();
  const matches = parse(text, tokens => readComparison(tokens, metricTypes));
  const [metricType, ...others] = metricTypes;
  if (metricType === undefined || others.length > 0) {
    throw new ApiError(
      'INVALID_ARGUMENT',
      `The filter must specify exactly one metric type with metric.type = "…": ${text}`,
    );
  }
  return { metricType, matches };
}

function parse(text: string, comparison: (tokens: Tokens) => Predicate<SeriesId>): Predicate<SeriesId> {
  try {
    return parseFilter(text, { comparison, implicitAnd: true });
  } catch (error) {
    if (error instanceof FilterError) throw new ApiError('INVALID_ARGUMENT', error.message);
    throw error;
  }
}

function readComparison(tokens: Tokens, metricTypes: Set<string>): Predicate<SeriesId> {
  const selector = readSelector(tokens);
  const isNegated = tokens.take('!=');
  if (!isNegated) tokens.require('=');
  const operand = readOperand(tokens);
  if (selector.isMetricType && !isNegated && operand.exactly !== undefined) metricTypes.add(operand.exactly);
  return series => {
    const value = selector.read(series);
    return (value !== undefined && operand.accepts(value)) !== isNegated;
  };
}

interface Selector {
  readonly read: Read;
  readonly isMetricType: boolean;
}

function readSelector(tokens: Tokens): Selector {
  if (tokens.take('project'))
    return { read: ({ resource }) => resource.labels['project_id'], isMetricType: false };
  const object = tokens.take('metric') ? 'metric' : tokens.take('resource') ? 'resource' : undefined;
  if (!object) throw tokens.expected('"metric", "resource" or "project"');
  tokens.require('.');
  if (tokens.take('type')) return { read: series => series[object].type, isMetricType: object === 'metric' };
  if (!tokens.take('labels') && !tokens.take('label')) throw tokens.expected('"type" or "labels"');
  tokens.require('.');
  const key = tokens.takeKind('word') ?? tokens.requireKind('string');
  return { read: series => series[object].labels[key], isMetricType: false };
}

interface Operand {
  readonly accepts: (value: string) => boolean;
  /** The value, where there is only one. */
  readonly exactly?: string;
}

function readOperand(tokens: Tokens): Operand {
  const literal = takeLiteral(tokens);
  if (literal !== undefined) return { accepts: value => value === literal, exactly: literal };
  const name = readFunctionName(tokens);
  const given = readArguments(tokens);
  const [first = ''] = given;
  if (name === 'one_of') return { accepts: value => given.includes(value) };
  if (given.length !== 1) throw tokens.expected(`one argument of ${name}(…) before this`);
  switch (name) {
    case 'starts_with':
      return { accepts: value => value.startsWith(first) };
    case 'ends_with':
      return { accepts: value => value.endsWith(first) };
    case 'has_substring':
      return { accepts: value => value.includes(first) };
    case 'monitoring.regex.full_match': {
      const pattern = compile(first);
      return { accepts: value => pattern.test(value) };
    }
    default:
      throw new ApiError('INVALID_ARGUMENT', `Unknown function ${name} in a filter.`);
  }
}

function takeLiteral(tokens: Tokens): string | undefined {
  const text = tokens.takeKind('string') ?? tokens.takeKind('number');
  if (text !== undefined) return text;
  if (tokens.take('true')) return 'true';
  return tokens.take('false') ? 'false' : undefined;
}

function readFunctionName(tokens: Tokens): string {
  let name = tokens.takeKind('word');
  if (name === undefined) throw tokens.expected('a value');
  while (tokens.take('.')) name += `.${tokens.requireKind('word')}`;
  return name;
}

function readArguments(tokens: Tokens): string[] {
  const given: string[] = [];
  tokens.require('(');
  do {
    const value = takeLiteral(tokens);
    if (value === undefined) throw tokens.expected('a value');
    given.push(value);
  } while (tokens.take(','));
  tokens.require(')');
  return given;
}

/** RE2 there, JavaScript here: the same for what filters use. */
function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (error) {
    throw new ApiError('INVALID_ARGUMENT', `Invalid regular expression "${pattern}": ${String(error)}`);
  }
}
