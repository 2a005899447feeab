import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { Store, type WatchEvent } from '../../../../local/kubernetes/store.ts';

function storeWithConfigMap() {
  const store = new Store(new VirtualClock());
  store.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  const created = store.create('configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default' },
    data: { colour: 'red' },
  });
  return { store, created };
}

describe('the object store', () => {
  test('refuses a write that was prepared for an older resourceVersion', () => {
    const { store, created } = storeWithConfigMap();
    store.update('configmaps', { ...created, data: { colour: 'blue' } });

    expect(() => store.update('configmaps', { ...created, data: { colour: 'green' } })).toThrow(
      'the object has been modified; please apply your changes to the latest version and try again',
    );
    expect(store.read('configmaps', 'default', 'settings')['data']).toEqual({ colour: 'blue' });
  });

  test('keeps the resourceVersion when a write changes nothing', () => {
    const { store, created } = storeWithConfigMap();

    const same = store.update('configmaps', { ...created });

    expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
  });

  test('refuses a second object of the same name', () => {
    const { store, created } = storeWithConfigMap();

    expect(() => store.create('configmaps', created)).toThrow('configmaps "settings" already exists');
  });

  test('refuses an object in a namespace that does not exist', () => {
    const { store, created } = storeWithConfigMap();
    const elsewhere = { ...created, metadata: { ...created.metadata, namespace: 'nowhere' } };

    expect(() => store.create('configmaps', elsewhere)).toThrow('namespaces "nowhere" not found');
  });

  test('tells its listeners about every change, in order', () => {
    const { store, created } = storeWithConfigMap();
    const events: WatchEvent[] = [];
    store.onChange(event => events.push(event));

    store.update('configmaps', { ...created, data: { colour: 'blue' } });
    store.remove('configmaps', 'default', 'settings');

    expect(events.map(event => event.type)).toEqual(['MODIFIED', 'DELETED']);
    const versions = events.map(event => event.resourceVersion);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(store.since(Number(created.metadata.resourceVersion))).toEqual(events);
  });

  test('gives out objects that nobody can change behind its back', () => {
    const { store } = storeWithConfigMap();
    const read = store.read('configmaps', 'default', 'settings');

    expect(() => Object.assign(read.metadata, { name: 'other' })).toThrow(TypeError);
  });
});
