import { ApiError } from '../http.ts';
import type { Execution } from './execution.ts';

type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | ':';

interface Comparison {
  readonly field: string;
  readonly operator: Operator;
  readonly value: string;
}

/**
 * Filters of a list of executions: comparisons joined by AND, https://google.aip.dev/160. What is beyond that is refused
 * rather than ignored.
 */
export function parseFilter(text: string): (execution: Execution) => boolean {
  if (text.trim() === '') return () => true;
  const comparisons = text.split(/\s+AND\s+/).map(part => parseComparison(part.trim()));
  return execution => comparisons.every(comparison => matches(execution, comparison));
}

const COMPARISON =
  /^([A-Za-z]+(?:\.(?:[\p{L}\p{N}_-]+|"[^"]*"))?)\s*(=|!=|<=|>=|<|>|:)\s*(?:"([^"]*)"|([^\s"()]+))$/u;

function parseComparison(text: string): Comparison {
  const [, field, operator, quoted, bare] = COMPARISON.exec(text) ?? [];
  if (field === undefined || operator === undefined) {
    throw new ApiError('INVALID_ARGUMENT', `filter: expected 'field = "value"', joined by AND; got: ${text}`);
  }
  const comparison = {
    field: field.replaceAll('"', ''),
    operator: operator as Operator,
    value: quoted ?? bare ?? '',
  };
  if (reader(comparison.field)) return comparison;
  throw new ApiError('INVALID_ARGUMENT', `filter: '${field}' cannot be filtered by`);
}

type Reader = (execution: Execution) => string | undefined;

function reader(field: string): Reader | undefined {
  const label = /^labels?\.(.+)$/.exec(field)?.[1];
  if (label !== undefined) return execution => execution.labels[label];
  return FIELDS[field.toLowerCase()];
}

const FIELDS: Readonly<Record<string, Reader>> = {
  executionid: execution => execution.name.split('/').at(-1),
  state: execution => execution.state,
  createtime: execution => execution.startTime,
  starttime: execution => execution.startTime,
  endtime: execution => execution.endTime,
  duration: execution => execution.duration,
  workflowrevisionid: execution => execution.workflowRevisionId,
  stepname: execution => execution.status.currentSteps.at(-1)?.step,
};

function matches(execution: Execution, { field, operator, value }: Comparison): boolean {
  const found = reader(field)?.(execution);
  if (operator === ':' && value === '*') return found !== undefined;
  if (found === undefined) return operator === '!=';
  const order = compare(field, found, value);
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case ':':
      return found.includes(value);
  }
}

/** Negative, zero or positive, as times, as seconds or as text. */
function compare(field: string, found: string, value: string): number {
  if (/time$/i.test(field)) return Date.parse(found) - Date.parse(value);
  if (/^duration$/i.test(field)) return Number.parseFloat(found) - Number.parseFloat(value);
  return found < value ? -1 : Number(found > value);
}
