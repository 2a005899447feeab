import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isCollection, parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { policyJsonSchema } from '../../cli/policy-schema.ts';
import { parsePolicy } from '../../functions/rollout/policy.ts';

interface Field {
  readonly path: string;
  readonly type: string;
  /** `required`, `none`, or YAML. */
  readonly fallback: string;
}

type Schema = z.output<typeof schemaSchema>;
const schemaSchema = z.object({
  type: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  pattern: z.string().optional(),
  default: z.unknown().optional(),
  required: z.array(z.string()).default([]),
  get properties() {
    return z.record(z.string(), schemaSchema).default({});
  },
  get items() {
    return schemaSchema.optional();
  },
  get anyOf() {
    return z.array(schemaSchema).default([]);
  },
});

/** Every field of the schema; `[]` stands for the entries of a list. */
function fieldsOf(schema: Schema, path = ''): Field[] {
  const ofItems = schema.items ? fieldsOf(schema.items, `${path}[]`) : [];
  const own = Object.entries(schema.properties).flatMap(([key, value]): Field[] => {
    const at = path ? `${path}.${key}` : key;
    const optional = value.default === undefined ? 'none' : canonical(value.default);
    const fallback = schema.required.includes(key) ? 'required' : optional;
    return [{ path: at, type: typeOf(value), fallback }, ...fieldsOf(value, at)];
  });
  return [...own, ...ofItems, ...schema.anyOf.flatMap(branch => fieldsOf(branch, path))];
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'list',
  object: 'map',
  integer: 'whole number',
};

function typeOf(schema: Schema): string {
  if (schema.anyOf.length > 0) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return 'one of';
  if (schema.pattern?.includes('(ms|s|m|h)')) return 'duration';
  return WORDS[schema.type ?? ''] ?? schema.type ?? 'anything';
}

function canonical(value: unknown): string {
  return JSON.stringify(value);
}

interface Row extends Field {
  readonly example: string;
  readonly meaning: string;
}

/** The rows of all tables; a table says in its head what its fields belong to. */
function rowsOf(page: string): Row[] {
  let prefix = '';
  return page.split('\n').flatMap((line): Row[] => {
    const head = /^\| field(?: of `([^`]+)`)? \|/.exec(line);
    if (head) prefix = head[1] ? `${head[1]}.` : '';
    const cells = line.split('|').map(cell => cell.trim());
    const path = /^`([^`]+)`$/.exec(cells[1] ?? '')?.[1];
    if (!path) return [];
    const [, , type = '', fallback = '', example = '', meaning = ''] = cells;
    const isWord = fallback === 'required' || fallback === 'none';
    return [
      {
        path: prefix + path,
        type,
        fallback: isWord ? fallback : canonical(parse(code(fallback))),
        example,
        meaning,
      },
    ];
  });
}

function code(cell: string): string {
  return /^`(.+)`$/.exec(cell)?.[1] ?? '';
}

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const FIELDS = fieldsOf(schemaSchema.parse(JSON.parse(policyJsonSchema())));
const ROWS = rowsOf(read('docs/policy.md'));

describe('docs/policy.md', () => {
  test('has every field of the policy and no other', () => {
    expect(ROWS.map(({ path }) => path).sort()).toEqual(FIELDS.map(({ path }) => path).sort());
  });

  test('has their types and defaults', () => {
    const byPath = (one: Field, other: Field) => one.path.localeCompare(other.path);
    const told = ROWS.map(({ path, type, fallback }) => ({ path, type, fallback }));
    expect(told.sort(byPath)).toEqual(FIELDS.toSorted(byPath));
  });

  test('has for each an example that the policy takes, and a meaning', () => {
    for (const { path, example, meaning } of ROWS) {
      expect({ path, problems: problemsWith(path, parse(code(example))) }).toEqual({ path, problems: [] });
      expect({ path, hasMeaning: meaning !== '' }).toEqual({ path, hasMeaning: true });
    }
  });
});

/** Has one of everything, so that there is a place for each example. */
const WHOLE = `
services:
  - name: hello
    image: example.dev/acme/hello
    tags: [{semver: "1"}]
    targets:
      - {name: us, cloudRun: {project: acme, region: us-east4, service: hello}}
      - {name: eu, cloudRun: {project: acme, region: europe-west1, service: hello}}
      - {name: asia, cloudRun: {project: acme, region: asia-northeast1, service: hello}}
      - name: arm
        gke:
          cluster: projects/acme/locations/us-central1/clusters/main
          deployment: hello
          container: hello
          prometheus: {requests: "a{d='$deployment'}[$interval]", bad: "b{d='$deployment'}[$interval]"}
    loadBalancer: {project: acme, backendService: hello}
    strategy: {steps: [{setWeight: 10}, {pause: {duration: 1m}}]}
    judge: {interval: 1m}
    slo: {availability: 99, latency: {threshold: 1s, target: 90}}
    verify:
      provenance: {builders: [a]}
      signature: {publicKeys: ["-----BEGIN PUBLIC KEY-----a-----END PUBLIC KEY-----"]}
      vulnerabilities: {maxSeverity: low}
      binaryAuthorization: {attestors: [projects/a/attestors/b]}
    windows: [{days: [mon]}]
notifications:
  - {name: a, slack: {secret: a}}
  - {name: b, googleChat: {secret: a}}
  - {name: c, webhook: {url: "https://a.example", signingSecret: a}}
  - {name: d, webhook: {secret: a, signingSecret: a}}
`;

/** What the policy says about this value in this place, as far as it is about the value itself. */
function problemsWith(path: string, value: unknown): string[] {
  const document = parseDocument(WHOLE);
  const place = placeOf(document, path.replaceAll('[]', '.[]').split('.'));
  document.setIn(place, document.createNode(value));
  const result = parsePolicy(document.toString(), 'rollouts.yaml');
  const printed = place.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : String(part)),
    '',
  );
  const isAbout = (found: string) => found === printed || /^[.[]/.test(found.slice(printed.length));
  if (result.ok) return [];
  return result.problems
    .filter(problem => problem.path.startsWith(printed) && isAbout(problem.path))
    .map(problem => problem.message);
}

/** Of a list the entry that has the next part of the path, or else the first. */
function placeOf(document: ReturnType<typeof parseDocument>, parts: readonly string[]): (string | number)[] {
  const place: (string | number)[] = [];
  parts.forEach((part, index) => {
    if (part !== '[]') {
      place.push(part);
      return;
    }
    const rest = parts.slice(index + 1, index + 3);
    const list = document.getIn(place);
    const count = isCollection(list) ? list.items.length : 0;
    const has = (entry: number, depth: number) => document.hasIn([...place, entry, ...rest.slice(0, depth)]);
    const entries = Array.from({ length: count }, (_, entry) => entry);
    place.push(entries.find(entry => has(entry, 2)) ?? entries.find(entry => has(entry, 1)) ?? 0);
  });
  return place;
}
