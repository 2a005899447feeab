import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import {
  describePath,
  fieldsOf,
  fromFieldsV1,
  isItemPath,
  itemPrefix,
  keyElement,
  removeAt,
  toFieldsV1,
} from './fields.ts';
import { isFields, type KubeObject, type ManagedFields, timestamp } from './objects.ts';
import { isAtomicMap, listKeys } from './schema.ts';
import { KubeError } from './status.ts';

type Fields = Record<string, unknown>;

interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time: string | undefined;
  readonly paths: Set<string>;
}

/**
 * Server-side apply, https://kubernetes.io/docs/reference/using-api/server-side-apply/: the applied fields are merged
 * into the live object and belong to `manager` from then on; fields that it applied before, does not apply now and
 * nobody else owns, go.
 */
export function applyServerSide(
  live: KubeObject | undefined,
  applied: Fields,
  manager: string,
  force: boolean,
  clock: Clock,
): Fields {
  const wanted = fieldsOf(applied);
  const owners = ownersOf(live);
  const mine = owners.find(owner => owner.manager === manager && owner.operation === 'Apply');
  const others = owners.filter(owner => owner !== mine);
  const liveFields = fieldsOf(live ?? {});
  const changed = [...wanted].flatMap(([path, value]) =>
    liveFields.has(path) && isDeepStrictEqual(liveFields.get(path), value) ? [] : [path],
  );
  takeOver(others, changed, force);

  const merged = merge(live ?? {}, applied);
  removeDropped(merged, mine?.paths ?? new Set(), wanted, others);
  const owner: Owner = {
    manager,
    operation: 'Apply',
    apiVersion: String(applied['apiVersion']),
    time: timestamp(clock.nowMs()),
    paths: new Set(wanted.keys()),
  };
  return withOwners(merged, [...others, owner]);
}

/** Records who changed what in a write that was not an apply. */
export function trackUpdate(
  live: KubeObject | undefined,
  next: KubeObject,
  manager: string,
  clock: Clock,
): KubeObject {
  const before = fieldsOf(live ?? {});
  const after = fieldsOf(next);
  const changed = [...after].flatMap(([path, value]) =>
    before.has(path) && isDeepStrictEqual(before.get(path), value) ? [] : [path],
  );
  const owners = ownersOf(live);
  const mine = owners.find(owner => owner.manager === manager && owner.operation === 'Update');
  for (const owner of owners) {
    for (const path of owner.paths) {
      if (!after.has(path) || (owner !== mine && changed.includes(path))) owner.paths.delete(path);
    }
  }
  const time = changed.length > 0 ? timestamp(clock.nowMs()) : mine?.time;
  const paths = new Set([...(mine?.paths ?? []), ...changed]);
  const owner: Owner = { manager, operation: 'Update', apiVersion: next.apiVersion, time, paths };
  return withOwners(next, [...owners.filter(one => one !== mine), owner]) as KubeObject;
}

function takeOver(others: readonly Owner[], changed: readonly string[], force: boolean): void {
  const conflicts = others.flatMap(owner =>
    changed.filter(path => owner.paths.has(path)).map(path => ({ owner, path })),
  );
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);
  for (const { owner, path } of conflicts) owner.paths.delete(path);
}

function conflictError(conflicts: readonly { owner: Owner; path: string }[]): KubeError {
  const many = conflicts.length === 1 ? '1 conflict' : `${conflicts.length} conflicts`;
  const listed = conflicts.map(
    ({ owner, path }) =>
      `conflict with ${JSON.stringify(owner.manager)} using ${owner.apiVersion}: ${describePath(path)}`,
  );
  return new KubeError('Conflict', `Apply failed with ${many}: ${listed.join('\n')}`, {
    causes: conflicts.map(({ path }, index) => ({
      reason: 'FieldManagerConflict',
      message: listed[index],
      field: describePath(path),
    })),
  });
}

function removeDropped(
  merged: Fields,
  before: ReadonlySet<string>,
  wanted: ReadonlyMap<string, unknown>,
  others: readonly Owner[],
): void {
  const isOthers = (path: string) => others.some(owner => owner.paths.has(path));
  const isInUse = (prefix: string) =>
    others.some(owner => [...owner.paths].some(path => path.startsWith(prefix)));
  const dropped = [...before].filter(path => !wanted.has(path) && !isOthers(path));
  const goneItems = dropped.filter(path => isItemPath(path) && !isInUse(itemPrefix(path)));
  for (const item of goneItems) removeAt(merged, item);
  for (const path of dropped) {
    const isInside = goneItems.some(item => path.startsWith(itemPrefix(item)));
    if (!isInside && !isItemPath(path) && !isKeyOfItem(path)) removeAt(merged, path);
  }
}

/** An item that stays keeps the fields it is known by. */
function isKeyOfItem(path: string): boolean {
  const [item = '', field = ''] = path.split('\n').slice(-2);
  return item.startsWith('k:') && item.includes(`"${field.slice(2)}":`);
}

function merge(live: unknown, applied: unknown): Fields {
  const result: Fields = isFields(live) ? structuredClone(live) : {};
  for (const [name, value] of Object.entries(isFields(applied) ? applied : {})) {
    result[name] = mergeValue(result[name], value, name);
  }
  return result;
}

function mergeValue(live: unknown, applied: unknown, field: string): unknown {
  if (isFields(applied) && !isAtomicMap(field)) return merge(live, applied);
  if (!Array.isArray(applied) || !Array.isArray(live)) return structuredClone(applied);
  const keys = listKeys(field, [...live, ...applied]);
  if (!keys) return structuredClone(applied);
  const result: unknown[] = structuredClone(live);
  for (const item of applied) {
    const index = result.findIndex(one => keyElement(one, keys) === keyElement(item, keys));
    if (index < 0) result.push(structuredClone(item));
    else result[index] = mergeValue(result[index], item, '');
  }
  return result;
}

function ownersOf(object: KubeObject | undefined): Owner[] {
  return (object?.metadata.managedFields ?? []).map(entry => ({
    manager: entry.manager,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    time: entry.time,
    paths: fromFieldsV1(entry.fieldsV1),
  }));
}

function withOwners(object: Fields, owners: readonly Owner[]): Fields {
  const managedFields = owners
    .filter(owner => owner.paths.size > 0)
    .map(
      (owner): ManagedFields => ({
        manager: owner.manager,
        operation: owner.operation,
        apiVersion: owner.apiVersion,
        ...(owner.time === undefined ? {} : { time: owner.time }),
        fieldsType: 'FieldsV1',
        fieldsV1: toFieldsV1(owner.paths),
      }),
    );
  const metadata = isFields(object['metadata']) ? object['metadata'] : {};
  return { ...object, metadata: { ...metadata, managedFields } };
}
