import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type {
  CommandSent,
  Me,
  RolloutChange,
  RolloutView,
  ServicePage,
  Signals,
} from '../../functions/console/contract.ts';
import type { Rollout } from '../../functions/rollout/record.ts';
import { Crowd, oneOfTheCrowd } from './crowd.ts';
import { GATED } from './world.ts';

/** What a browser does, over HTTP: one service per test. */

const SERVICES = [
  oneOfTheCrowd('watched', GATED),
  oneOfTheCrowd('aborted', GATED),
  oneOfTheCrowd('busy', GATED),
];

let crowd: Crowd;
let origin: string;
let digest: string;

beforeAll(async () => {
  crowd = await Crowd.open(SERVICES);
  origin = crowd.world.cloud.functions.urls.console;
  digest = await crowd.build('a');
});
afterAll(() => crowd?.close());

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`${origin}/api/${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function give(command: object): Promise<CommandSent> {
  const answer = await fetch(`${origin}/api/commands`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify(command),
  });
  expect(answer.status).toBe(202);
  return (await answer.json()) as CommandSent;
}

/** Listens to a rollout, and puts together what it hears as the page does. */
async function* watch(id: string): AsyncGenerator<RolloutView> {
  const answer = await fetch(`${origin}/api/watch?rollout=${id}`);
  let text = '';
  let view: RolloutView | undefined;
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data === undefined) continue;
      view = /^event: rollout$/m.test(event) ? JSON.parse(data) : view && changed(view, JSON.parse(data));
      if (view) yield view;
    }
  }
}

function changed(view: RolloutView, { rollout, history, trend, ...rest }: RolloutChange): RolloutView {
  const { spec, verification } = view.rollout;
  return {
    ...rest,
    rollout: {
      ...rollout,
      spec: rollout.spec ?? spec,
      verification: rollout.verification ?? verification,
      history: [...view.rollout.history, ...history],
      trend: [...view.rollout.trend, ...trend],
    },
  };
}

async function seen(id: string, isSo: (view: RolloutView) => boolean): Promise<RolloutView> {
  for await (const view of watch(id)) if (isSo(view)) return view;
  throw new Error(`nobody watches ${id} any more`);
}

async function atGate(service: string): Promise<Rollout> {
  await crowd.serve(service);
  crowd.push(`${service}-a`, digest);
  return crowd.world.until(service, `${service}-a`, ({ pause }) => pause !== undefined);
}

const buttonOf = ({ buttons }: RolloutView, name: string) => buttons.find(({ command }) => command === name);

test.concurrent('a rollout is watched from its gate to its end, and promoted on the way', async () => {
  const { id } = await atGate('watched');
  const gated = await seen(id, view => buttonOf(view, 'promote')?.refused === undefined);
  expect(gated.rollout.targets['us']?.weight).toBe(50);
  expect(gated.service.active).toBe(id);

  const { gate } = buttonOf(gated, 'promote') ?? {};
  const ended = seen(id, ({ rollout }) => rollout.phase === 'Healthy');
  await give({ command: 'promote', service: 'watched', rollout: id, gate, reason: 'looks good' });
  const healthy = await ended;
  expect(healthy.rollout.history.map(({ sequence }) => sequence)).toEqual(
    healthy.rollout.history.map((_, index) => index + 1),
  );
  const told = healthy.rollout.history.map(({ message }) => message);
  expect(told).toContainEqual(expect.stringMatching(/^you@localhost \(looks good\): promote wave 1 step 2$/));
  expect(buttonOf(healthy, 'undo')?.refused).toBeUndefined();
  expect(buttonOf(healthy, 'promote')?.refused).toBe('no gate or pause is waiting');
});

test.concurrent('a rollout is aborted, and the list of services says so', async () => {
  const { id } = await atGate('aborted');
  const ended = seen(id, ({ rollout }) => rollout.phase === 'Degraded');
  await give({ command: 'abort', service: 'aborted', rollout: id, reason: 'it hurts' });
  const degraded = await ended;
  expect(degraded.rollout.cause?.message).toBe('abort by you@localhost (it hurts)');
  expect(degraded.rollout.targets['us']?.weight).toBe(0);
  expect(degraded.service.quarantine?.rollout).toBe(id);
  const { services } = await get<ServicePage>('services?search=ABORT');
  expect(services).toEqual([expect.objectContaining({ name: 'aborted', quarantined: 1 })]);
  expect(crowd.world.cloud.functions.lastLines().join('\n')).toContain(
    'you@localhost gave the command abort',
  );
});

test.concurrent('the signals of a rollout are those of its traffic', async () => {
  const { id } = await atGate('busy');
  const url = await crowd.world.cloud.cores.run.getService({
    project: 'acme',
    region: 'us-east4',
    service: 'busy',
  });
  const stop = new AbortController();
  const users = (async () => {
    while (!stop.signal.aborted) await fetch(url.uri).then(answer => answer.text());
  })();
  let signals: Signals | undefined;
  await crowd.world.eventually(
    () => `the canary to be measured; signals were ${JSON.stringify(signals)}`,
    async () => {
      signals = await get<Signals>(`rollouts/${id}/signals?minutes=${1 + Math.floor(Math.random() * 9)}`);
      return signals.points.some(({ canary, stable }) => canary.latencyMs && stable.latencyMs);
    },
  );
  stop.abort();
  await users;
  const known = signals?.points.flatMap(({ canary }) => canary.requestsPerSecond ?? []) ?? [];
  expect(Math.max(...known)).toBeGreaterThan(0);
  expect(signals?.points.every(({ canary }) => (canary.errorRatio ?? 0) === 0)).toBe(true);
});

test('the laptop’s own user is known, and nobody else', async () => {
  expect(await get<Me>('me')).toMatchObject({ actor: 'you@localhost', project: 'acme' });
  const { hostname, port } = new URL(origin);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { host: `rebound.example.com:${port}` };
    request({ hostname, port, path: '/api/me', headers }, answer => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(401);
});

test('a page of another site gives no command', async () => {
  const answer = await fetch(`${origin}/api/commands`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://evil.example' },
    body: JSON.stringify({ command: 'abort', service: 'watched' }),
  });
  expect(answer.status).toBe(403);
});
