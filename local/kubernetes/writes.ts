import type { Clock } from '../clock.ts';
import { applyServerSide, trackUpdate } from './apply.ts';
import { admitted, withArmToleration } from './defaults.ts';
import { isFields, type KubeObject, type Pod } from './objects.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { suffix } from './pods.ts';
import { removePod } from './replica-sets.ts';
import { apiVersionOf, qualifiedName, type Resource } from './resources.ts';
import { KubeError } from './status.ts';
import type { Store } from './store.ts';

export interface WriteContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly resource: Resource;
  readonly namespace: string | undefined;
  /** Who owns the fields that the write changes. */
  readonly manager: string;
}

export type Part = 'main' | 'status';

export function create(context: WriteContext, body: unknown): KubeObject {
  const object = admitted(placed(context, withGeneratedName(context, body)));
  const isPod = context.resource.plural === 'pods';
  const complete = isPod ? { ...object, spec: withArmToleration((object as Pod).spec) } : object;
  const { status: _, ...withoutStatus } = trackUpdate(undefined, complete, context.manager, context.clock);
  return context.store.create(context.resource.plural, withoutStatus);
}

export function update(context: WriteContext, name: string, body: unknown, part: Part): KubeObject {
  const live = context.store.read(context.resource.plural, context.namespace, name);
  return write(context, live, named(context, name, body), part);
}

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json';

export function patch(
  context: WriteContext,
  name: string,
  type: PatchType,
  body: unknown,
  part: Part,
): KubeObject {
  const live = context.store.read(context.resource.plural, context.namespace, name);
  const patched = PATCHES[type](live, body);
  // A patch that says which version it was made for is held to it; any other applies to whatever is there.
  const version = isFields(patched) && isFields(patched['metadata']) ? patched['metadata'] : {};
  version['resourceVersion'] ??= live.metadata.resourceVersion;
  return write(context, live, named(context, name, patched), part);
}

const PATCHES: Readonly<Record<PatchType, (live: unknown, body: unknown) => unknown>> = {
  'application/json-patch+json': jsonPatch,
  'application/merge-patch+json': mergePatch,
  'application/strategic-merge-patch+json': strategicMergePatch,
};

export function apply(
  context: WriteContext,
  name: string,
  body: unknown,
  force: boolean,
  part: Part,
): KubeObject {
  const { store, resource, namespace, clock, manager } = context;
  const applied = named(context, name, body);
  const live = store.get(resource.plural, namespace, name);
  const { resourceVersion } = applied.metadata;
  if (!live && resourceVersion) throw conflictOfVersion(resource, name);
  if (live && resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
    throw conflictOfVersion(resource, name);
  }
  const { managedFields: _, ...metadata } = applied.metadata;
  const merged = applyServerSide(live, { ...applied, metadata }, manager, force, clock);
  const object = admitted(merged);
  if (!live) return store.create(resource.plural, object);
  return store.update(resource.plural, object, part);
}

export function remove(context: WriteContext, name: string, options: unknown): KubeObject {
  const { store, resource, namespace } = context;
  const object = store.read(resource.plural, namespace, name);
  const wanted = isFields(options) && isFields(options['preconditions']) ? options['preconditions'] : {};
  const { uid, resourceVersion } = object.metadata;
  if ((wanted['uid'] ?? uid) !== uid || (wanted['resourceVersion'] ?? resourceVersion) !== resourceVersion) {
    throw conflictOfVersion(resource, name);
  }
  const graceSeconds = isFields(options) ? options['gracePeriodSeconds'] : undefined;
  if (resource.plural === 'pods') {
    if (graceSeconds === 0) return store.remove('pods', namespace, name);
    removePod({ store }, object as Pod);
    return store.get('pods', namespace, name) ?? object;
  }
  // A namespace stays, terminating, until the garbage collector has emptied it.
  return store.remove(resource.plural, namespace, name, resource.plural === 'namespaces' ? 1 : 0);
}

function write(context: WriteContext, live: KubeObject, next: KubeObject, part: Part): KubeObject {
  const { store, resource, clock, manager } = context;
  const object = admitted(next);
  const { managedFields: _, ...metadata } = object.metadata;
  const owned = live.metadata.managedFields;
  const tracked = trackUpdate(
    live,
    { ...object, metadata: { ...metadata, ...(owned ? { managedFields: owned } : {}) } },
    manager,
    clock,
  );
  return store.update(resource.plural, part === 'status' ? object : tracked, part);
}

function named({ resource, namespace }: WriteContext, name: string, body: unknown): KubeObject {
  if (!isFields(body) || !isFields(body['metadata'])) {
    throw new KubeError('BadRequest', 'the object has no metadata');
  }
  const { apiVersion, kind, metadata } = body;
  if (kind !== resource.kind || apiVersion !== apiVersionOf(resource)) {
    throw new KubeError(
      'BadRequest',
      `${String(kind)} in version "${String(apiVersion)}" cannot be handled as a ${resource.kind}`,
    );
  }
  if ((metadata['name'] ?? name) !== name) {
    throw new KubeError(
      'BadRequest',
      `the name of the object (${String(metadata['name'])}) does not match the name on the URL (${name})`,
    );
  }
  const place = namespace === undefined ? {} : { namespace };
  return { ...body, apiVersion, kind, metadata: { ...metadata, ...place, name } };
}

function placed({ resource, namespace }: WriteContext, body: unknown): unknown {
  if (!isFields(body)) throw new KubeError('BadRequest', 'the body is not an object');
  const metadata = isFields(body['metadata']) ? body['metadata'] : {};
  const { resourceVersion: _, uid: __, ...rest } = metadata;
  return {
    ...body,
    apiVersion: body['apiVersion'] ?? apiVersionOf(resource),
    kind: body['kind'] ?? resource.kind,
    metadata: { ...rest, ...(namespace === undefined ? {} : { namespace }) },
  };
}

function withGeneratedName({ store }: WriteContext, body: unknown): unknown {
  if (!isFields(body) || !isFields(body['metadata'])) return body;
  const { name, generateName } = body['metadata'];
  if (name || typeof generateName !== 'string') return body;
  const generated = `${generateName}${suffix(`${generateName} ${store.resourceVersion}`, 5)}`;
  return { ...body, metadata: { ...body['metadata'], name: generated } };
}

function conflictOfVersion(resource: Resource, name: string): KubeError {
  return new KubeError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    { name, kind: resource.plural },
  );
}
