import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { BROKEN, type Call, type GkeWorld, gkeWorld } from './gke-world.ts';
import { deploy, finish, orderFor, promote, restore, settle, weight } from './target-contract.ts';

/** k8s/base/slipway-access.yaml grants what a GKE target asks for, and nothing that it never asks for. */

const RULE = z.strictObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
  verbs: z.array(z.string()),
});
const ROLE = z.object({ kind: z.string(), rules: z.array(RULE).default([]) });

/** One thing that a rule allows: a verb on one kind of object, and on one object of it where names are given. */
interface Grant {
  readonly group: string;
  readonly resource: string;
  readonly name: string | undefined;
  readonly verb: string;
}

const POLICY = z.object({
  services: z.tuple([
    z.object({ targets: z.array(z.object({ gke: z.record(z.string(), z.string()).optional() })) }),
  ]),
});

const worlds: GkeWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function worldWith(options: Parameters<typeof gkeWorld>[0]): Promise<GkeWorld> {
  const world = await gkeWorld(options);
  worlds.push(world);
  return world;
}

/** Every call of the port, with a canary that does not start, and with an autoscaler that has to be held. */
async function everythingATargetDoes(spec: object): Promise<readonly Call[]> {
  const good = await worldWith({ serving: true, replicas: 6, spec });
  const order = await orderFor(good);
  await finish(good, order, deploy);
  await good.target.probe(order, { path: '/healthz', expect: undefined });
  for (const change of [weight(50), promote, settle]) await finish(good, order, change);

  const bad = await worldWith({ serving: true, replicas: 6, spec });
  const broken = await orderFor(bad, { digest: BROKEN });
  await finish(bad, broken, deploy);
  await finish(bad, { ...broken, epoch: 2 }, restore);

  const empty = await worldWith({ serving: false, spec });
  const first = await orderFor(empty);
  await finish(empty, first, deploy);
  await empty.target.probe(first, { path: '/healthz', expect: undefined });
  return [good, bad, empty].flatMap(({ calls }) => calls);
}

async function grants(): Promise<Grant[]> {
  const text = await readFile(new URL('../../k8s/base/slipway-access.yaml', import.meta.url), 'utf8');
  const roles = parseAllDocuments(text).map(document => ROLE.parse(document.toJS()));
  return roles.flatMap(({ rules }) => rules).flatMap(grantsOf);
}

function grantsOf({ apiGroups, resources, resourceNames, verbs }: z.infer<typeof RULE>): Grant[] {
  const names: readonly (string | undefined)[] = resourceNames ?? [undefined];
  return apiGroups.flatMap(group =>
    resources.flatMap(resource =>
      names.flatMap(name => verbs.map(verb => ({ group, resource, name, verb }))),
    ),
  );
}

/** What the API server's authoriser makes of a request, https://kubernetes.io/docs/reference/access-authn-authz/authorization/. */
function needOf({ method, path }: Call): Grant {
  const { groups = {} } =
    /^\/(?:api\/v1|apis\/(?<group>[^/]+)\/[^/]+)(?:\/namespaces\/[^/]+)?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<sub>[^/]+))?)?/.exec(
      path,
    ) ?? {};
  const { group = '', plural = '', name, sub } = groups;
  const verb =
    method === 'PATCH' ? 'patch' : method === 'GET' ? (name ? 'get' : 'list') : `an unknown ${method}`;
  return { group, resource: sub ? `${plural}/${sub}` : plural, name, verb };
}

function covers(grant: Grant, need: Grant): boolean {
  return (
    grant.group === need.group &&
    grant.resource === need.resource &&
    grant.verb === need.verb &&
    (grant.name === undefined || grant.name === need.name)
  );
}

function inWords({ group, resource, name, verb }: Grant): string {
  return [verb, group ? `${resource}.${group}` : resource, name].filter(Boolean).join(' ');
}

test('the example target may do all that it does, and nothing that it never does', async () => {
  const needs = (await everythingATargetDoes(await exampleTarget())).map(needOf);
  const granted = await grants();

  const refused = needs.filter(need => !granted.some(grant => covers(grant, need)));
  const unused = granted.filter(grant => !needs.some(need => covers(grant, need)));
  expect([...new Set(refused.map(inWords))]).toEqual([]);
  expect(unused.map(inWords)).toEqual([]);
  expect(needs.length).toBeGreaterThan(granted.length);
});

test('a target without a route reads Services besides, as k8s/README.md says', async () => {
  const needs = (await everythingATargetDoes({ httpRoute: undefined })).map(needOf);
  const granted = await grants();

  const refused = needs.filter(need => !granted.some(grant => covers(grant, need))).map(inWords);
  expect([...new Set(refused)].sort()).toEqual(['get services hello', 'get services hello-canary']);
  const readme = await readFile(new URL('../../k8s/README.md', import.meta.url), 'utf8');
  expect(readme).toContain(
    '{apiGroups: [""], resources: [services], resourceNames: [hello, hello-canary], verbs: [get]}',
  );
});

async function exampleTarget(): Promise<object> {
  const text = await readFile(new URL('../../rollouts.yaml', import.meta.url), 'utf8');
  const [{ targets }] = POLICY.parse(parse(text)).services;
  const { cluster: _, namespace: __, ...names } = targets.find(({ gke }) => gke)?.gke ?? {};
  return names;
}
