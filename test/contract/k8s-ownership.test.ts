import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applyManifests } from '../../local/kubernetes/apply-manifests.ts';
import { hasKubectl, withComponent } from '../kustomize.ts';
import { CANARY, type GkeWorld, gkeWorld, IMAGE, STABLE } from './gke-world.ts';
import { deploy, finish, orderFor, settle, weight } from './target-contract.ts';

/** Whoever applies the manifests again in the middle of a rollout. */

let world: GkeWorld;

/** The first rollout brought this digest, the second is giving the other one a quarter of the traffic. */
const SERVED = { [STABLE]: 75, [CANARY]: 25 };

beforeEach(async () => {
  world = await gkeWorld({ serving: false });
  const first = await orderFor(world, { digest: STABLE });
  for (const change of [deploy, settle]) await finish(world, first, change);
  const second = await orderFor(world, { attempt: 2, rollout: 'second', epoch: 2 });
  for (const change of [deploy, weight(25)]) await finish(world, second, change);
});
afterEach(() => world.close());

test.each([
  ['http-route.yaml', '.spec.rules'],
  ['deployment-canary.yaml', '.spec.replicas'],
  ['deployment.yaml', '.spec.template.spec.containers'],
])('is refused %s, and told whose %s is', async (file, field) => {
  const text = await readFile(new URL(`../../k8s/base/${file}`, import.meta.url), 'utf8');

  const error = await applyManifests(world.kubeconfig, [text]).then(
    () => 'no error',
    (reason: unknown) => String(reason),
  );

  expect(error).toContain('"slipway');
  expect(error).toContain(field);
  expect(await world.served()).toEqual(SERVED);
});

test.skipIf(!hasKubectl)(
  'changes nothing of the rollout with after-first-rollout (needs kubectl)',
  async () => {
    const stable = () => world.core.store.read('deployments', 'default', 'hello').spec;
    const text = withComponent('after-first-rollout');
    await applyManifests(world.kubeconfig, [text]);
    await world.pass(30);

    expect(stable().replicas).toBe(2);
    expect(stable().template.spec.containers[0]?.image).toBe(`${IMAGE}@${STABLE}`);
    expect(await world.served()).toEqual(SERVED);
  },
);
