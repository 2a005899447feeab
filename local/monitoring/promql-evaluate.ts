import {
  type Aggregate,
  type Binary,
  type Expression,
  type LabelReplace,
  PromqlError,
  type Selector,
} from './promql.ts';
import type { Labels } from './time-series.ts';

/** A counter as it rose; both lists are as long as each other. */
export interface Counter {
  readonly labels: Labels;
  /** Oldest first. */
  readonly endsMs: readonly number[];
  /** What it had come to at each end. */
  readonly totals: readonly number[];
}

/** Where the counters come from, and until when they are known. */
export interface Counters {
  readonly knownUntilMs: number;
  find(selector: Selector): readonly Counter[];
}

export interface Element {
  readonly labels: Labels;
  readonly value: number;
}

/** A scalar or an instant vector. */
export type Value = number | readonly Element[];

/** What the expression comes to at one moment. */
export function evaluate(expression: Expression, atMs: number, counters: Counters): Value {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'selector':
      return latest(expression, atMs, counters);
    case 'change':
      return change(expression.of, expression.name, atMs, counters);
    case 'vector':
      return [{ labels: {}, value: scalar(evaluate(expression.of, atMs, counters)) }];
    case 'labelReplace':
      return replaceLabel(expression, vector(evaluate(expression.of, atMs, counters)));
    case 'aggregate':
      return aggregate(expression, vector(evaluate(expression.of, atMs, counters)));
    case 'binary':
      return combine(
        expression.operator,
        evaluate(expression.left, atMs, counters),
        evaluate(expression.right, atMs, counters),
      );
  }
}

/** Prometheus looks back so long for the newest value. */
const LOOKBACK_MS = 5 * 60_000;

function latest(selector: Selector, atMs: number, counters: Counters): Element[] {
  if (selector.rangeMs !== undefined)
    throw new PromqlError('a range such as [60s] belongs into increase() or rate()');
  return rises(selector, atMs, LOOKBACK_MS, counters).map(({ labels, to }) => ({ labels, value: to }));
}

/** Exactly what was counted in the range, where Prometheus extrapolates between scrapes. */
function change(selector: Selector, name: 'increase' | 'rate', atMs: number, counters: Counters): Element[] {
  const rangeMs = selector.rangeMs ?? 0;
  const divisor = name === 'rate' ? rangeMs / 1000 : 1;
  return rises(selector, atMs, rangeMs, counters).map(({ labels, from, to }) => ({
    labels: unnamed(labels),
    value: (to - from) / divisor,
  }));
}

/** A counter that rose once is there from then on, as long as its metrics are known at all. */
function rises(selector: Selector, atMs: number, rangeMs: number, { find, knownUntilMs }: Counters) {
  if (atMs - rangeMs >= knownUntilMs) return [];
  return find(selector).flatMap(({ labels, endsMs, totals }) => {
    const [firstMs = Infinity] = endsMs;
    if (firstMs > atMs) return [];
    const totalAt = (ms: number) => totals[indexAt(endsMs, ms)] ?? 0;
    return [{ labels, from: totalAt(atMs - rangeMs), to: totalAt(atMs) }];
  });
}

/** Of the last end that is not after `ms`; -1 when there is none. */
function indexAt(endsMs: readonly number[], ms: number): number {
  let low = 0;
  let high = endsMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((endsMs[middle] ?? Infinity) <= ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function replaceLabel(
  { label, replacement, source, pattern }: LabelReplace,
  of: readonly Element[],
): Element[] {
  return of.map(element => {
    const value = element.labels[source] ?? '';
    if (!pattern.test(value)) return element;
    const replaced = value.replace(pattern, replacement);
    const { [label]: _, ...others } = element.labels;
    return { ...element, labels: replaced === '' ? others : { ...others, [label]: replaced } };
  });
}

function aggregate({ operator, labels, isWithout }: Aggregate, of: readonly Element[]): Element[] {
  const groupOf = (all: Labels) =>
    Object.fromEntries(Object.entries(unnamed(all)).filter(([key]) => labels.includes(key) !== isWithout));
  const groups = Map.groupBy(of, element => keyOf(groupOf(element.labels)));
  return [...groups.values()].flatMap(group => {
    const [first] = group;
    return first
      ? [
          {
            labels: groupOf(first.labels),
            value: reduce(
              operator,
              group.map(({ value }) => value),
            ),
          },
        ]
      : [];
  });
}

function reduce(operator: Aggregate['operator'], values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (operator) {
    case 'sum':
      return sum;
    case 'avg':
      return sum / values.length;
    case 'count':
      return values.length;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
  }
}

function combine(operator: Binary['operator'], left: Value, right: Value): Value {
  if (operator === 'or') return union(vector(left), vector(right));
  if (typeof left === 'number' && typeof right === 'number') return calculate(operator, left, right);
  if (typeof right === 'number')
    return vector(left).map(one => withValue(one, calculate(operator, one.value, right)));
  if (typeof left === 'number') return right.map(one => withValue(one, calculate(operator, left, one.value)));
  const partners = oneEach(right);
  oneEach(left);
  return left.flatMap(one => {
    const partner = partners.get(keyOf(unnamed(one.labels)));
    return partner ? [withValue(one, calculate(operator, one.value, partner.value))] : [];
  });
}

function calculate(operator: '+' | '-' | '*' | '/', left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
  }
}

function union(left: readonly Element[], right: readonly Element[]): Element[] {
  const known = new Set(left.map(({ labels }) => keyOf(unnamed(labels))));
  return [...left, ...right.filter(({ labels }) => !known.has(keyOf(unnamed(labels))))];
}

function oneEach(elements: readonly Element[]): Map<string, Element> {
  const byLabels = new Map(elements.map(element => [keyOf(unnamed(element.labels)), element]));
  if (byLabels.size === elements.length) return byLabels;
  throw new PromqlError('many-to-many matching not allowed: several series have the same labels');
}

function withValue({ labels }: Element, value: number): Element {
  return { labels: unnamed(labels), value };
}

function vector(value: Value): readonly Element[] {
  if (typeof value === 'number')
    throw new PromqlError('parse error: expected type instant vector, got scalar');
  return value;
}

function scalar(value: Value): number {
  if (typeof value !== 'number')
    throw new PromqlError('parse error: expected type scalar, got instant vector');
  return value;
}

/** What is computed from a metric is that metric no more. */
function unnamed({ __name__: _, ...labels }: Labels): Labels {
  return labels;
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort());
}
