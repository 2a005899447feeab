import { isDeepStrictEqual } from 'node:util';
import { isFields } from './objects.ts';
import { strategicMergeKey } from './schema.ts';
import { KubeError } from './status.ts';

type Fields = Record<string, unknown>;

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return structuredClone(patch);
  const result: Fields = isFields(target) ? structuredClone(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** Kubernetes' strategic merge patch, with the directives that kubectl sends. */
export function strategicMergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return structuredClone(patch);
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  const result: Fields = isFields(target) ? structuredClone(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue;
    if (value === null) delete result[name];
    else if (Array.isArray(value)) result[name] = mergeList(name, result[name], value);
    else if (isFields(value) && value['$patch'] === 'delete') delete result[name];
    else result[name] = strategicMergePatch(result[name], value);
  }
  const retained = patch['$retainKeys'];
  if (!Array.isArray(retained)) return result;
  return Object.fromEntries(Object.entries(result).filter(([name]) => retained.includes(name)));
}

function mergeList(field: string, live: unknown, patch: readonly unknown[]): unknown[] {
  const current = Array.isArray(live) ? live : [];
  const key = strategicMergeKey(field, [...current, ...patch]);
  const isReplaced = patch.some(item => isFields(item) && item['$patch'] === 'replace');
  if (!key || isReplaced) return patch.filter(item => !isDirective(item)).map(withoutDirectives);
  let result: unknown[] = structuredClone(current);
  for (const item of patch) {
    if (!isFields(item)) continue;
    const index = result.findIndex(one => isFields(one) && one[key] === item[key]);
    if (item['$patch'] === 'delete') result = result.filter((_, at) => at !== index);
    else if (index < 0) result.push(strategicMergePatch(undefined, item));
    else result[index] = strategicMergePatch(result[index], item);
  }
  return result;
}

function isDirective(item: unknown): boolean {
  return isFields(item) && '$patch' in item && Object.keys(item).length === 1;
}

function withoutDirectives(value: unknown): unknown {
  if (!isFields(value)) return structuredClone(value);
  return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith('$')));
}

/** RFC 6902. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw new KubeError('BadRequest', 'a JSON patch is a list of operations');
  const document = { root: structuredClone(target) };
  for (const operation of operations) applyOperation(document, isFields(operation) ? operation : {});
  return document.root;
}

function applyOperation(document: Fields, operation: Fields): void {
  const path = `/root${String(operation['path'] ?? '')}`;
  const from = `/root${String(operation['from'] ?? '')}`;
  switch (operation['op']) {
    case 'add':
      add(document, path, operation['value']);
      return;
    case 'remove':
      remove(document, path);
      return;
    case 'replace':
      remove(document, path);
      add(document, path, operation['value']);
      return;
    case 'move': {
      const value = valueAt(document, from);
      remove(document, from);
      add(document, path, value);
      return;
    }
    case 'copy':
      add(document, path, valueAt(document, from));
      return;
    case 'test':
      if (isDeepStrictEqual(valueAt(document, path), operation['value'])) return;
      throw new KubeError(
        'Invalid',
        `the server rejected our request due to an error in our request: testing path ${operation['path']} failed`,
      );
    default:
      throw new KubeError('BadRequest', `unexpected JSON patch operation ${String(operation['op'])}`);
  }
}

function add(document: Fields, path: string, value: unknown): void {
  const { parent, name } = parentOf(document, path);
  if (Array.isArray(parent)) {
    parent.splice(name === '-' ? parent.length : indexIn(parent, name, path), 0, structuredClone(value));
  } else parent[name] = structuredClone(value);
}

function remove(document: Fields, path: string): void {
  const { parent, name } = parentOf(document, path);
  if (Array.isArray(parent)) parent.splice(indexIn(parent, name, path), 1);
  else if (name in parent) delete parent[name];
  else throw missing(path);
}

function valueAt(document: Fields, path: string): unknown {
  const { parent, name } = parentOf(document, path);
  return Array.isArray(parent) ? parent[indexIn(parent, name, path)] : parent[name];
}

function parentOf(document: Fields, path: string): { parent: Fields | unknown[]; name: string } {
  const names = path
    .split('/')
    .slice(1)
    .map(name => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  let parent: unknown = document;
  for (const name of names) {
    parent = Array.isArray(parent) ? parent[Number(name)] : isFields(parent) ? parent[name] : undefined;
  }
  if (!isFields(parent) && !Array.isArray(parent)) throw missing(path);
  return { parent, name: last };
}

function indexIn(list: readonly unknown[], name: string, path: string): number {
  const index = Number(name);
  if (!Number.isInteger(index) || index < 0 || index > list.length) throw missing(path);
  return index;
}

function missing(path: string): KubeError {
  return new KubeError(
    'Invalid',
    `the server rejected our request due to an error in our request: unable to find ${path.slice(5)}`,
  );
}
