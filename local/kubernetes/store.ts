import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import { type Kinds, type KubeObject, type Plural, timestamp } from './objects.ts';
import { qualifiedName, type Resource, resourceOf } from './resources.ts';
import { conflict, KubeError, notFound } from './status.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly plural: Plural;
  readonly object: KubeObject;
  readonly resourceVersion: number;
}

/** Events kept for watches that start at an older resourceVersion; beyond that they are told to list again. */
const HISTORY_LENGTH = 2000;

/**
 * What etcd and the generic registry are to the real API server: objects with uid, generation and resourceVersion,
 * optimistic concurrency, and an ordered stream of changes. What goes in is copied, what comes out is frozen.
 */
export class Store {
  readonly #clock: Clock;
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners = new Set<(event: WatchEvent) => void>();
  readonly #history: WatchEvent[] = [];
  #revision = 1000;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get resourceVersion(): string {
    return String(this.#revision);
  }

  get<P extends Plural>(plural: P, namespace: string | undefined, name: string): Kinds[P] | undefined {
    return this.#objects.get(keyOf(plural, namespace, name)) as Kinds[P] | undefined;
  }

  read<P extends Plural>(plural: P, namespace: string | undefined, name: string): Kinds[P] {
    const object = this.get(plural, namespace, name);
    if (!object) throw notFound(qualifiedName(resourceOf(plural)), name);
    return object;
  }

  /** In order of creation. */
  list<P extends Plural>(plural: P, namespace?: string): Kinds[P][] {
    const prefix = `${plural}/${namespace === undefined ? '' : `${namespace}/`}`;
    const found: Kinds[P][] = [];
    for (const [key, object] of this.#objects) {
      if (key.startsWith(prefix)) found.push(object as Kinds[P]);
    }
    return found;
  }

  create<P extends Plural>(plural: P, object: KubeObject): Kinds[P] {
    const resource = resourceOf(plural);
    const { namespace, name } = object.metadata;
    const key = keyOf(plural, namespace, name);
    if (this.#objects.has(key)) {
      throw new KubeError('AlreadyExists', `${qualifiedName(resource)} "${name}" already exists`, {
        name,
        kind: resource.plural,
      });
    }
    this.#requireNamespace(resource, namespace);
    const stored = structuredClone(object);
    stored.metadata = {
      ...stored.metadata,
      uid: this.#newUid(key),
      creationTimestamp: timestamp(this.#clock.nowMs()),
      ...(hasGeneration(plural) ? { generation: 1 } : {}),
    };
    this.#put('ADDED', plural, key, stored);
    return stored as Kinds[P];
  }

  /**
   * Writes everything but the status (`part: 'main'`), or the status alone. With a `resourceVersion` in the object the
   * write is refused unless it is still the current one. A write that changes nothing leaves the version as it is.
   */
  update<P extends Plural>(plural: P, object: KubeObject, part: 'main' | 'status' = 'main'): Kinds[P] {
    const { namespace, name, resourceVersion, uid } = object.metadata;
    const current = this.read(plural, namespace, name);
    const label = qualifiedName(resourceOf(plural));
    if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw conflict(label, name);
    if (uid && uid !== current.metadata.uid) throw conflict(label, name);
    const next = part === 'status' ? withStatus(current, object) : withoutStatus(current, object);
    if (part === 'main' && hasGeneration(plural) && bumpsGeneration(plural, current, next)) {
      next.metadata.generation = (current.metadata.generation ?? 0) + 1;
    }
    if (isUnchanged(current, next)) return current;
    this.#put('MODIFIED', plural, keyOf(plural, namespace, name), next);
    return next as Kinds[P];
  }

  /** Marks for deletion, or removes. Pods wait for their kubelet to remove them. */
  remove(plural: Plural, namespace: string | undefined, name: string, graceSeconds = 0): KubeObject {
    const object: KubeObject = structuredClone(this.read(plural, namespace, name));
    const key = keyOf(plural, namespace, name);
    if (graceSeconds > 0) {
      if (object.metadata.deletionTimestamp) return object;
      object.metadata.deletionTimestamp = timestamp(this.#clock.nowMs() + graceSeconds * 1000);
      object.metadata.deletionGracePeriodSeconds = graceSeconds;
      this.#put('MODIFIED', plural, key, object);
      return object;
    }
    this.#objects.delete(key);
    object.metadata.resourceVersion = String(++this.#revision);
    this.#publish({ type: 'DELETED', plural, object: deepFreeze(object), resourceVersion: this.#revision });
    return object;
  }

  /** Changes after this resourceVersion, or undefined when that is too long ago to tell. */
  since(resourceVersion: number): readonly WatchEvent[] | undefined {
    const oldest = this.#history[0];
    if (this.#history.length === HISTORY_LENGTH && oldest && resourceVersion < oldest.resourceVersion - 1) {
      return undefined;
    }
    return this.#history.filter(event => event.resourceVersion > resourceVersion);
  }

  onChange(listener: (event: WatchEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #put(type: 'ADDED' | 'MODIFIED', plural: Plural, key: string, object: KubeObject): void {
    object.metadata.resourceVersion = String(++this.#revision);
    this.#objects.set(key, deepFreeze(object));
    this.#publish({ type, plural, object, resourceVersion: this.#revision });
  }

  #publish(event: WatchEvent): void {
    this.#history.push(event);
    if (this.#history.length > HISTORY_LENGTH) this.#history.shift();
    for (const listener of [...this.#listeners]) listener(event);
  }

  #requireNamespace(resource: Resource, namespace: string | undefined): void {
    if (!resource.namespaced) return;
    if (namespace && this.#objects.has(keyOf('namespaces', undefined, namespace))) return;
    throw notFound('namespaces', namespace ?? '');
  }

  /** The same sequence of changes gives the same uids: runs in virtual time can be repeated. */
  #newUid(key: string): string {
    const hex = createHash('sha256').update(`${key} ${this.#revision}`).digest('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

function keyOf(plural: Plural, namespace: string | undefined, name: string): string {
  return resourceOf(plural).namespaced ? `${plural}/${namespace}/${name}` : `${plural}/${name}`;
}

function hasGeneration(plural: Plural): boolean {
  return ['deployments', 'replicasets', 'gateways', 'httproutes', 'poddisruptionbudgets'].includes(plural);
}

/** Deployments, unlike other kinds, count a changed annotation as a new generation: it is carried to their ReplicaSets. */
function bumpsGeneration(plural: Plural, current: KubeObject, next: KubeObject): boolean {
  if (!isDeepStrictEqual(current.spec, next.spec)) return true;
  return (
    plural === 'deployments' &&
    !isDeepStrictEqual(current.metadata.annotations ?? {}, next.metadata.annotations ?? {})
  );
}

function withStatus(current: KubeObject, object: KubeObject): KubeObject {
  const next = structuredClone(current);
  if (object.status === undefined) delete next.status;
  else next.status = structuredClone(object.status);
  if (object.metadata.managedFields) next.metadata.managedFields = object.metadata.managedFields;
  return next;
}

function withoutStatus(current: KubeObject, object: KubeObject): KubeObject {
  const next = structuredClone(object);
  if (current.status === undefined) delete next.status;
  else next.status = current.status;
  const { uid, generation, creationTimestamp, deletionTimestamp, resourceVersion } = current.metadata;
  Object.assign(next.metadata, { uid, creationTimestamp, resourceVersion });
  if (generation !== undefined) next.metadata.generation = generation;
  if (deletionTimestamp !== undefined) next.metadata.deletionTimestamp = deletionTimestamp;
  return next;
}

function isUnchanged(current: KubeObject, next: KubeObject): boolean {
  const bare = ({ metadata: { resourceVersion: _, managedFields, ...metadata }, ...rest }: KubeObject) => ({
    ...rest,
    metadata,
    managedFields: (managedFields ?? []).map(({ time: __, ...entry }) => entry),
  });
  return isDeepStrictEqual(bare(current), bare(next));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
