import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { LIMITS } from './limits.ts';
import { fitsInt64 } from './values.ts';

/** Where something stands in the source: line and column from 1, length in bytes. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The source as a tree in which everything knows where it stands. JSON is read by the same parser, being YAML. */
export type Source = SourceMap | SourceList | SourceScalar;

export interface SourceMap {
  readonly kind: 'map';
  readonly entries: readonly SourceEntry[];
  readonly position: Position;
}

export interface SourceEntry {
  readonly key: string;
  readonly keyPosition: Position;
  readonly value: Source;
}

export interface SourceList {
  readonly kind: 'list';
  readonly items: readonly Source[];
  readonly position: Position;
}

export interface SourceScalar {
  readonly kind: 'scalar';
  readonly value: null | boolean | bigint | number | string;
  readonly position: Position;
}

interface Reading {
  readonly text: string;
  readonly lines: LineCounter;
  readonly problems: Problem[];
}

/** Reads YAML or JSON; undefined when there is nothing to go on with. */
export function readSource(text: string, problems: Problem[]): Source | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.source) {
    const message = `the source has ${bytes} bytes; the limit is ${LIMITS.source}`;
    problems.push({ severity: 'error', line: 1, column: 1, message });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    intAsBigInt: true,
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
  });
  const reading = { text, lines, problems };
  for (const error of [...document.errors, ...document.warnings]) {
    report(reading, error.pos[0], `not valid YAML: ${error.message}`);
  }
  if (document.errors.length > 0) return undefined;
  if (!document.contents) {
    problems.push({ severity: 'error', line: 1, column: 1, message: 'the source is empty' });
    return undefined;
  }
  return read(reading, document.contents);
}

function read(reading: Reading, node: ParsedNode): Source {
  const position = place(reading, node.range[0], node.range[1]);
  if (isAlias(node)) return refuse(reading, node.range[0], 'YAML aliases', position);
  if (node.tag !== undefined || node.anchor !== undefined) {
    return refuse(reading, node.range[0], 'YAML tags and anchors', position);
  }
  if (isMap(node)) return readMap(reading, node, position);
  if (isSeq(node)) return readList(reading, node, position);
  return readScalar(reading, node, position);
}

function readMap(reading: Reading, node: YAMLMap.Parsed, position: Position): SourceMap {
  return { kind: 'map', entries: node.items.map(pair => readPair(reading, pair)), position };
}

function readPair(reading: Reading, pair: Pair<ParsedNode, ParsedNode | null>): SourceEntry {
  const { key, value } = pair;
  const keyPosition = place(reading, key.range[0], key.range[1]);
  if (!isScalar(key) || key.value === null) {
    report(reading, key.range[0], 'a key must be a plain name or a string');
  }
  const name = isScalar(key) ? keyText(key) : '';
  if (name === '<<') report(reading, key.range[0], 'YAML merge keys are not supported here');
  const nothing: SourceScalar = { kind: 'scalar', value: null, position: keyPosition };
  return { key: name, keyPosition, value: value ? read(reading, value) : nothing };
}

/** `1: x` has the string key "1". */
function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function readList(reading: Reading, node: YAMLSeq.Parsed, position: Position): SourceList {
  return { kind: 'list', items: node.items.map(item => read(reading, item)), position };
}

function readScalar(reading: Reading, node: Scalar.Parsed, position: Position): SourceScalar {
  const value: unknown = node.value;
  if (typeof value === 'bigint' && !fitsInt64(value)) {
    report(reading, node.range[0], `${value} does not fit into a 64-bit integer`);
    return { kind: 'scalar', value: 0n, position };
  }
  if (typeof value === 'string' && node.type?.startsWith('QUOTE')) {
    return { kind: 'scalar', value, position: place(reading, node.range[0] + 1, node.range[1] - 1) };
  }
  if (value === null || ['boolean', 'bigint', 'number', 'string'].includes(typeof value)) {
    return { kind: 'scalar', value: value as SourceScalar['value'], position };
  }
  return refuse(reading, node.range[0], 'values of this type', position);
}

function refuse(reading: Reading, offset: number, what: string, position: Position): SourceScalar {
  report(reading, offset, `${what} are not supported here`);
  return { kind: 'scalar', value: null, position };
}

function report({ lines, problems }: Reading, offset: number, message: string): void {
  const { line, col } = lines.linePos(offset);
  problems.push({ severity: 'error', line, column: col, message });
}

function place({ lines, text }: Reading, start: number, end: number): Position {
  const { line, col } = lines.linePos(start);
  return { line, column: col, length: Buffer.byteLength(text.slice(start, end)) };
}
