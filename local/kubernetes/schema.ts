/** How lists and maps of Kubernetes objects merge: the `x-kubernetes-list-type` and `-map-type` of the real schemas. */

/** Lists of objects that are merged item by item, and the fields that tell the items apart. */
const LIST_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  imagePullSecrets: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  conditions: ['type'],
  ownerReferences: ['uid'],
  listeners: ['name'],
};

/** Maps that are replaced as a whole. */
const ATOMIC_MAPS: ReadonlySet<string> = new Set([
  'nodeSelector',
  'selector',
  'labelSelector',
  'fieldRef',
  'resourceFieldRef',
  'configMapKeyRef',
  'secretKeyRef',
]);

export function isAtomicMap(field: string): boolean {
  return ATOMIC_MAPS.has(field);
}

/** Keys of a list's items for server-side apply; undefined for a list that is replaced as a whole. */
export function listKeys(field: string, items: readonly unknown[]): readonly string[] | undefined {
  if (field === 'ports')
    return isPortOfContainer(items) ? ['containerPort', 'protocol'] : ['port', 'protocol'];
  return LIST_KEYS[field];
}

/** Strategic merge patch is older and tells ports apart by their number alone. */
export function strategicMergeKey(field: string, items: readonly unknown[]): string | undefined {
  if (field === 'ports') return isPortOfContainer(items) ? 'containerPort' : 'port';
  return LIST_KEYS[field]?.[0];
}

/** A value of a key that may be left out. */
export function defaultOfKey(key: string): unknown {
  return key === 'protocol' ? 'TCP' : undefined;
}

function isPortOfContainer(items: readonly unknown[]): boolean {
  return items.some(item => typeof item === 'object' && item !== null && 'containerPort' in item);
}
