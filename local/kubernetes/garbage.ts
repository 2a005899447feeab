import type { Pass } from './controller.ts';
import type { Plural } from './objects.ts';
import { removePod } from './replica-sets.ts';
import { RESOURCES } from './resources.ts';

/** Removes what belonged to an object that is gone, and what is inside a namespace that is to go. */
export function collectGarbage(pass: Pass): void {
  const { store } = pass;
  const uids = new Set<string>();
  for (const { plural } of RESOURCES) {
    for (const object of store.list(plural)) uids.add(object.metadata.uid ?? '');
  }
  for (const { plural, namespaced } of RESOURCES) {
    if (!namespaced) continue;
    for (const { metadata } of store.list(plural)) {
      const isOrphan = metadata.ownerReferences?.some(owner => !uids.has(owner.uid)) ?? false;
      const home = store.get('namespaces', undefined, metadata.namespace ?? '');
      if (isOrphan || home?.metadata.deletionTimestamp)
        remove(pass, plural, metadata.namespace, metadata.name);
    }
  }
  for (const { metadata } of store.list('namespaces')) {
    if (!metadata.deletionTimestamp) continue;
    const isEmpty = RESOURCES.every(
      ({ plural, namespaced }) => !namespaced || store.list(plural, metadata.name).length === 0,
    );
    if (isEmpty) store.remove('namespaces', undefined, metadata.name);
  }
}

function remove({ store }: Pass, plural: Plural, namespace: string | undefined, name: string): void {
  if (plural !== 'pods') {
    store.remove(plural, namespace, name);
    return;
  }
  const pod = store.get('pods', namespace, name);
  if (pod && !pod.metadata.deletionTimestamp) removePod({ store }, pod);
}
