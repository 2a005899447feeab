import { afterEach, describe, expect, test } from 'vitest';
import type { Order } from '../../../functions/targets/target.ts';
import { CANARY, type GkeWorld, gkeWorld, IMAGE, STABLE } from '../../contract/gke-world.ts';
import { finish, orderFor } from '../../contract/target-contract.ts';

let world: GkeWorld;

afterEach(() => world.close());

const deployment = (name: string) => world.core.store.read('deployments', 'default', name);

async function serving(options: Partial<Parameters<typeof gkeWorld>[0]> = {}): Promise<Order> {
  world = await gkeWorld({ serving: true, ...options });
  return orderFor(world);
}

describe('the canary of a GKE target', () => {
  test('is the live stable with another image, on ARM nodes', async () => {
    const order = await serving();
    const stable = structuredClone(deployment('hello'));
    stable.spec.template.spec.containers[0]?.env?.push({ name: 'MODE', value: 'fast' });
    stable.spec.template.spec['priorityClassName'] = 'somebody-set-this';
    world.core.store.update('deployments', stable);

    await finish(world, order, (target, one) => target.deploy(one));

    const { spec, metadata } = deployment('hello-canary');
    expect(spec.template.spec['priorityClassName']).toBe('somebody-set-this');
    expect(spec.template.spec.containers[0]?.image).toBe(`${IMAGE}@${CANARY}`);
    expect(spec.template.spec.nodeSelector).toMatchObject({ 'kubernetes.io/arch': 'arm64' });
    expect(spec.template.metadata?.labels).toEqual({
      app: 'hello',
      'slipway.dev/track': 'canary',
      'slipway.dev/revision': order.revision,
    });
    expect(metadata.annotations).toMatchObject({ 'slipway.dev/rollout': 'first', 'slipway.dev/epoch': '1' });
    expect(metadata.managedFields?.some(one => one.manager === 'slipway' && one.operation === 'Apply')).toBe(
      true,
    );
  });

  test('has the pods that its share needs before it gets the share', async () => {
    const order = await serving({ replicas: 5 });
    await finish(world, order, (target, one) => target.deploy(one));
    const readyAt: [number, number][] = [];
    world.core.store.onChange(() => {
      const share = world.core.backendsOf('default', 'hello')[1]?.weight ?? 0;
      readyAt.push([share, deployment('hello-canary').status?.readyReplicas ?? 0]);
    });

    for (const percent of [25, 50]) {
      await finish(world, order, (target, one) => target.setWeight(one, percent));
    }

    for (const [share, ready] of readyAt) expect(ready).toBeGreaterThanOrEqual(Math.ceil((5 * share) / 100));
    expect(readyAt.at(-1)).toEqual([50, 3]);
  });

  test('is reported with its architecture and readiness', async () => {
    const order = await serving();
    await finish(world, order, (target, one) => target.deploy(one));

    const { revisions } = await world.target.observe();

    expect(revisions).toEqual([
      expect.objectContaining({ digest: STABLE, percent: 100, ready: true, architecture: 'arm64' }),
      { revision: order.revision, digest: CANARY, percent: 0, ready: true, architecture: 'arm64' },
    ]);
  });

  test('is not deployed when the route does not know it', async () => {
    const order = await serving();
    const route = structuredClone(world.core.store.read('httproutes', 'default', 'hello'));
    route.spec.rules?.[0]?.backendRefs?.pop();
    world.core.store.update('httproutes', route);

    const progress = await finish(world, order, (target, one) => target.deploy(one));

    expect(progress).toEqual({
      status: 'failed',
      message:
        'HTTPRoute hello has no rule with both hello and hello-canary in backendRefs: attach both, hello-canary with weight 0',
    });
  });

  test('takes over from a promotion that was never settled', async () => {
    const order = await serving();
    for (const percent of [50, 100]) {
      await finish(world, order, (target, one) => target.deploy(one));
      await finish(world, order, (target, one) => target.setWeight(one, percent));
    }
    await finish(world, order, (target, one) => target.promote(one));
    expect((await world.target.observe()).stable?.digest).toBe(CANARY);
    const next = await orderFor(world, { digest: STABLE, attempt: 2, rollout: 'second', epoch: 1 });

    const shares: unknown[] = [];
    await finish(
      world,
      next,
      (target, one) => target.deploy(one),
      async () => shares.push(await world.served()),
    );

    for (const share of shares) expect(share).toEqual({ [CANARY]: 100 });
    expect(deployment('hello').spec.template.spec.containers[0]?.image).toBe(`${IMAGE}@${CANARY}`);
  });
});

describe('a canary that does not start', () => {
  async function failure(order: Order) {
    return finish(world, order, (target, one) => target.deploy(one));
  }

  test('fails at once when its binaries are of another architecture', async () => {
    const order = await serving();
    const message = 'exec /usr/local/bin/node: exec format error';
    world.dataPlane.fails = ({ image }) =>
      image.endsWith(CANARY) ? { reason: 'ExecFormat', message, exitCode: 255 } : undefined;

    const progress = await failure(order);

    expect(progress.status).toBe('failed');
    expect(progress.message).toContain(message);
    expect(progress.message).toContain("not for the node's architecture");
  });

  test('fails at once when the image has nothing for ARM', async () => {
    const order = await serving();
    world.dataPlane.fails = ({ image }) =>
      image.endsWith(CANARY)
        ? { reason: 'NoMatchForPlatform', message: 'no match for platform in manifest: not found' }
        : undefined;

    const progress = await failure(order);

    expect(progress).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('no match for platform in manifest'),
    });
  });

  test('fails with the last log lines when it keeps ending', async () => {
    const order = await serving();
    world.dataPlane.fails = ({ image }) =>
      image.endsWith(CANARY)
        ? { reason: 'Exited', message: 'Error: DATABASE_URL is not set', exitCode: 1 }
        : undefined;

    const progress = await failure(order);

    expect(progress).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/CrashLoopBackOff.*last log lines: Error: DATABASE_URL is not set/),
    });
  });

  test('waits for the autoscaler before it fails with the words of the scheduler', async () => {
    const order = await serving();
    const stable = structuredClone(deployment('hello'));
    Object.assign(stable.spec.template.spec.nodeSelector ?? {}, { 'example.com/disk': 'none-has-this' });
    world.core.store.update('deployments', stable);
    const start = world.clock.nowMs();

    const progress = await failure(order);

    expect(progress).toMatchObject({
      status: 'failed',
      message: expect.stringContaining("0/3 nodes are available: 3 node(s) didn't match"),
    });
    expect(world.clock.nowMs() - start).toBeGreaterThanOrEqual(180_000);
  });
});

describe('a first rollout that fails', () => {
  test('leaves the next one to be the first again', async () => {
    world = await gkeWorld({ serving: false });
    const broken = await orderFor(world, { digest: world.brokenDigest });
    expect((await finish(world, broken, (target, one) => target.deploy(one))).status).toBe('failed');
    await finish(world, { ...broken, epoch: 2 }, (target, one) => target.restore(one));

    const next = await orderFor(world, { attempt: 2, rollout: 'second' });
    expect(next.stable).toBeUndefined();
    expect((await finish(world, next, (target, one) => target.deploy(one))).status).toBe('done');

    expect(await world.served()).toEqual({ [CANARY]: 100 });
    expect(deployment('hello').spec.replicas).toBe(2);
  });
});

test('a restore is done when the traffic is back, even if the stable misses a pod that it missed before', async () => {
  const order = await serving();
  await finish(world, order, (target, one) => target.deploy(one));
  await finish(world, order, (target, one) => target.setWeight(one, 50));
  const failure = { reason: 'Exited', message: 'exited with code 1', exitCode: 1 } as const;
  world.dataPlane.fails = () => failure;
  world.dataPlane.instances[0]?.become({ phase: 'failed', lastLogLines: [], ...failure });
  await world.pass(60);
  expect(deployment('hello').status?.readyReplicas).toBe(1);

  const progress = await finish(world, { ...order, epoch: 2 }, (target, one) => target.restore(one));

  expect(progress.status).toBe('done');
  expect(await world.served()).toEqual({ [STABLE]: 100 });
});

describe('an autoscaler on the stable', () => {
  const minimum = () => {
    const { spec } = world.core.store.read('horizontalpodautoscalers', 'default', 'hello');
    return (spec as { minReplicas: number }).minReplicas;
  };

  test.each(['settle', 'restore'] as const)('is held at the scale of the stable until %s', async end => {
    const order = await serving({ replicas: 6 });
    await finish(world, order, (target, one) => target.deploy(one));
    expect(minimum()).toBe(6);
    await finish(world, { ...order, epoch: 2 }, (target, one) => target[end](one));

    expect(minimum()).toBe(2);
  });
});

describe('a GKE target without a route', () => {
  const pods = () => [deployment('hello').spec.replicas, deployment('hello-canary').spec.replicas];

  test('splits by the number of pods, and settles at the scale it had', async () => {
    const order = await serving({ replicas: 4, spec: { httpRoute: undefined } });
    await finish(world, order, (target, one) => target.deploy(one));
    await finish(world, order, (target, one) => target.setWeight(one, 50));
    expect(pods()).toEqual([4, 4]);
    await finish(world, order, (target, one) => target.promote(one));
    expect(pods()).toEqual([0, 4]);
    expect((await world.target.observe()).stable?.digest).toBe(CANARY);

    expect((await finish(world, order, (target, one) => target.settle(one))).status).toBe('done');

    expect(pods()).toEqual([4, 0]);
    expect((await world.target.observe()).stable?.digest).toBe(CANARY);
  });

  test('brings the pods of the stable back', async () => {
    const order = await serving({ replicas: 4, spec: { httpRoute: undefined } });
    for (const change of ['deploy', 'promote'] as const) {
      await finish(world, order, (target, one) => target[change](one));
    }

    expect((await finish(world, { ...order, epoch: 2 }, (target, one) => target.restore(one))).status).toBe(
      'done',
    );

    expect(pods()).toEqual([4, 0]);
    expect((await world.target.observe()).stable?.digest).toBe(STABLE);
  });
});

describe('the probe of a GKE target', () => {
  test('asks again while no pod of the canary is ready', async () => {
    const order = await serving();

    const result = await world.target.probe(order, { path: '/healthz' });

    expect(result).toMatchObject({
      status: 'again',
      message: expect.stringContaining('no endpoints available'),
    });
  });
});
