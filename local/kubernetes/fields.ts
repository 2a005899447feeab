import { isFields } from './objects.ts';
import { defaultOfKey, isAtomicMap, listKeys } from './schema.ts';

/**
 * The fields of an object as server-side apply sees them: from path to value. A path joins FieldsV1 elements, e.g.
 * `f:spec`, `f:containers`, `k:{"name":"web"}`, `f:image`; `.` stands for the existence of a list item.
 */
export type FieldMap = Map<string, unknown>;

const SEPARATOR = '\n';

/** Written by the server, owned by nobody. */
const UNOWNED = new Set(['f:apiVersion', 'f:kind', 'f:status']);
const UNOWNED_METADATA = new Set(
  [
    'name',
    'namespace',
    'generateName',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'managedFields',
  ].map(field => `f:${field}`),
);

export function fieldsOf(object: unknown): FieldMap {
  const fields: FieldMap = new Map();
  collect(object, '', [], fields);
  for (const path of fields.keys()) {
    const [first = '', second = ''] = path.split(SEPARATOR);
    if (UNOWNED.has(first) || (first === 'f:metadata' && UNOWNED_METADATA.has(second))) fields.delete(path);
  }
  return fields;
}

function collect(value: unknown, field: string, path: readonly string[], into: FieldMap): void {
  if (isFields(value) && Object.keys(value).length > 0 && !isAtomicMap(field)) {
    for (const [name, child] of Object.entries(value)) {
      if (child !== undefined) collect(child, name, [...path, `f:${name}`], into);
    }
    return;
  }
  const keys = Array.isArray(value) && value.length > 0 ? listKeys(field, value) : undefined;
  if (!Array.isArray(value) || !keys) {
    into.set(path.join(SEPARATOR), value);
    return;
  }
  for (const item of value) {
    const itemPath = [...path, keyElement(item, keys)];
    into.set([...itemPath, '.'].join(SEPARATOR), true);
    collect(item, '', itemPath, into);
  }
}

/** The FieldsV1 element of a list item: `k:{"containerPort":80,"protocol":"TCP"}`. */
export function keyElement(item: unknown, keys: readonly string[]): string {
  const source = isFields(item) ? item : {};
  return `k:${JSON.stringify(Object.fromEntries(keys.map(key => [key, source[key] ?? defaultOfKey(key)])))}`;
}

export function toFieldsV1(paths: Iterable<string>): object {
  const root: Record<string, unknown> = {};
  for (const path of paths) {
    let node = root;
    for (const element of path.split(SEPARATOR)) {
      const next = node[element];
      const child: Record<string, unknown> = isFields(next) ? next : {};
      node[element] = child;
      node = child;
    }
  }
  return root;
}

export function fromFieldsV1(fieldsV1: unknown): Set<string> {
  const paths = new Set<string>();
  const walk = (node: unknown, path: readonly string[]) => {
    const entries = isFields(node) ? Object.entries(node) : [];
    if (entries.length === 0 && path.length > 0) paths.add(path.join(SEPARATOR));
    for (const [element, child] of entries) walk(child, [...path, element]);
  };
  walk(fieldsV1, []);
  return paths;
}

/** As conflicts name it: `.spec.template.spec.containers[name="web"].image`. */
export function describePath(path: string): string {
  return path
    .split(SEPARATOR)
    .filter(element => element !== '.')
    .map(element => {
      if (element.startsWith('f:')) return `.${element.slice(2)}`;
      const key: unknown = JSON.parse(element.slice(2));
      const pairs = isFields(key) ? Object.entries(key) : [];
      return `[${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

/** Removes what is at the path, and the maps that are empty without it. Returns whether the container became empty. */
export function removeAt(root: Record<string, unknown>, path: string): void {
  remove(root, '', path.split(SEPARATOR));
}

function remove(value: unknown, field: string, path: readonly string[]): 'empty' | 'kept' {
  const [element = '', ...rest] = path;
  if (element.startsWith('f:') && isFields(value)) {
    const name = element.slice(2);
    if (rest.length === 0 || remove(value[name], name, rest) === 'empty') delete value[name];
    return Object.keys(value).length === 0 ? 'empty' : 'kept';
  }
  if (!Array.isArray(value)) return 'kept';
  const keys = listKeys(field, value) ?? [];
  const index = value.findIndex(item => keyElement(item, keys) === element);
  if (index < 0) return 'kept';
  if (rest[0] === '.') value.splice(index, 1);
  else remove(value[index], '', rest);
  return value.length === 0 ? 'empty' : 'kept';
}

export function isItemPath(path: string): boolean {
  return path.endsWith(`${SEPARATOR}.`);
}

/** Everything inside the same list item. */
export function itemPrefix(itemPath: string): string {
  return itemPath.slice(0, -1);
}
