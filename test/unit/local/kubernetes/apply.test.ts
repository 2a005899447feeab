import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../../local/clock.ts';
import { applyServerSide, trackUpdate } from '../../../../local/kubernetes/apply.ts';
import { fieldsOf, fromFieldsV1, toFieldsV1 } from '../../../../local/kubernetes/fields.ts';
import { isFields, type KubeObject } from '../../../../local/kubernetes/objects.ts';

const clock = new VirtualClock();

function apply(live: KubeObject | undefined, fields: object, manager: string, force = false): KubeObject {
  const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, ...fields };
  return applyServerSide(live, body, manager, force, clock) as KubeObject;
}

const containers = (...list: object[]) => ({ spec: { template: { spec: { containers: list } } } });

function containersOf(object: KubeObject): unknown {
  const { template } = object.spec as { template: { spec: { containers: unknown } } };
  return template.spec.containers;
}

describe('server-side apply', () => {
  test('merges containers by name and leaves what others set', () => {
    const live = apply(
      undefined,
      containers({ name: 'web', image: 'a', env: [{ name: 'MODE', value: 'x' }] }),
      'kubectl',
    );

    const merged = apply(live, containers({ name: 'web', image: 'b' }), 'slipway', true);

    expect(containersOf(merged)).toEqual([{ name: 'web', image: 'b', env: [{ name: 'MODE', value: 'x' }] }]);
  });

  test('names the owner and the field when two managers disagree', () => {
    const live = apply(undefined, containers({ name: 'web', image: 'a' }), 'kubectl');

    expect(() => apply(live, containers({ name: 'web', image: 'b' }), 'slipway')).toThrow(
      'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.template.spec.containers[name="web"].image',
    );
  });

  test('lets two managers own a field on whose value they agree', () => {
    const live = apply(undefined, containers({ name: 'web', image: 'a' }), 'kubectl');

    const agreed = apply(live, containers({ name: 'web', image: 'a' }), 'slipway');

    expect(agreed.metadata.managedFields?.map(entry => entry.manager)).toEqual(['kubectl', 'slipway']);
  });

  test('takes the field away from its owner by force', () => {
    const live = apply(undefined, containers({ name: 'web', image: 'a' }), 'kubectl');

    const forced = apply(live, containers({ name: 'web', image: 'b' }), 'slipway', true);

    const ofKubectl = forced.metadata.managedFields?.find(entry => entry.manager === 'kubectl');
    expect([...fromFieldsV1(ofKubectl?.fieldsV1)].some(path => path.endsWith('f:image'))).toBe(false);
  });

  test('removes a field that its only owner stops applying', () => {
    const first = apply(undefined, { spec: { replicas: 2, minReadySeconds: 5 } }, 'slipway');

    const second = apply(first, { spec: { replicas: 2 } }, 'slipway');

    expect(second.spec).toEqual({ replicas: 2 });
  });

  test('keeps a field that somebody else owns too', () => {
    const first = apply(undefined, { spec: { replicas: 2 } }, 'slipway');
    const shared = apply(first, { spec: { replicas: 2 } }, 'kubectl');

    const second = apply(shared, { spec: { paused: true } }, 'slipway');

    expect(second.spec).toEqual({ replicas: 2, paused: true });
  });

  test('removes a container that its owner stops applying, and no other', () => {
    const first = apply(
      undefined,
      containers({ name: 'web', image: 'a' }, { name: 'proxy', image: 'p' }),
      'm',
    );

    const second = apply(first, containers({ name: 'web', image: 'a' }), 'm');

    expect(containersOf(second)).toEqual([{ name: 'web', image: 'a' }]);
  });

  test('replaces a node selector as a whole', () => {
    const pinned = (nodeSelector: object) => ({ spec: { template: { spec: { nodeSelector } } } });
    const first = apply(undefined, pinned({ disk: 'ssd' }), 'm');

    const second = apply(first, pinned({ 'kubernetes.io/arch': 'arm64' }), 'm');

    expect(second.spec).toEqual(pinned({ 'kubernetes.io/arch': 'arm64' }).spec);
  });

  test('hands a field to whoever updates it', () => {
    const live = apply(undefined, { spec: { replicas: 2 } }, 'kubectl');

    const scaled = trackUpdate(live, { ...live, spec: { replicas: 5 } }, 'autoscaler', clock);

    const owner = scaled.metadata.managedFields?.find(entry => entry.operation === 'Update');
    expect(owner).toMatchObject({ manager: 'autoscaler', fieldsV1: { 'f:spec': { 'f:replicas': {} } } });
    expect(scaled.metadata.managedFields).toHaveLength(1);
  });
});

test('fields survive the way to FieldsV1 and back', () => {
  const fields = fieldsOf({
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: { ports: [{ port: 80 }], replicas: 1 },
  });

  const encoded = toFieldsV1(fields.keys());

  expect(encoded).toEqual({
    'f:metadata': { 'f:labels': { 'f:app': {} } },
    'f:spec': {
      'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } },
      'f:replicas': {},
    },
  });
  expect([...fromFieldsV1(encoded)].sort()).toEqual([...fields.keys()].sort());
  expect(isFields(encoded)).toBe(true);
});
