import { expect, it } from 'vitest';
import { createGuide, type GuideOptions, type Prompt } from '../../../app/guide.ts';
import type { LogEntry } from '../../../app/log.ts';

const identity = {
  service: 'hello',
  version: 'v1',
  revision: 'hello-1',
  architecture: 'arm64',
  region: 'us-east4',
};

function world(over: Partial<GuideOptions> = {}) {
  const prompts: Prompt[] = [];
  const logged: LogEntry[] = [];
  const time = { nowMs: 0 };
  const guide = createGuide({
    identity,
    model: 'gemini-small',
    async generate(prompt) {
      prompts.push(prompt);
      return `answer ${prompts.length}`;
    },
    writeLog: entry => logged.push(entry),
    nowMs: () => time.nowMs,
    ...over,
  });
  const ask = (query = '', location?: string) =>
    guide({ method: 'GET', path: '/guide', query, headers: { 'x-client-geo-location': location } });
  return { ask, prompts, logged, time };
}

function failing(error: unknown): Partial<GuideOptions> {
  return { generate: () => Promise.reject(error) };
}

it('tells the model where the caller is and what it is asked for, as data', async () => {
  const { ask, prompts } = world();

  const reply = await ask('?topic=tea%20houses', 'USNY,New York');

  expect(reply).toEqual({
    status: 200,
    headers: {},
    body: {
      ...identity,
      clientLocation: 'USNY,New York',
      topic: 'tea houses',
      model: 'gemini-small',
      guide: 'answer 1',
    },
    delayMs: 0,
  });
  expect(prompts[0]?.request).toBe('{"place":"USNY,New York","topic":"tea houses"}');
  expect(prompts[0]?.instruction).not.toContain('tea');
});

it('takes the region it runs in for the place of a caller that nobody located', async () => {
  const { ask, prompts } = world();

  expect((await ask()).body).toMatchObject({ clientLocation: null, topic: 'something to see' });
  expect(prompts[0]?.request).toContain('Google Cloud region us-east4');
});

it('asks the model once in ten minutes for the same topic near the same place', async () => {
  const { ask, prompts, time } = world();
  await ask('?topic=tea', 'USNY,New York');
  await ask('?topic=tea', 'USNY,New York');
  expect(prompts).toHaveLength(1);

  await ask('?topic=tea', 'DEBE,Berlin');
  time.nowMs = 600_000;
  await ask('?topic=tea', 'USNY,New York');

  expect(prompts).toHaveLength(3);
});

it('forgets the oldest of two hundred answers', async () => {
  const { ask, prompts } = world();
  for (let topic = 0; topic <= 200; topic++) await ask(`?topic=${topic}`);

  await ask('?topic=1');
  expect(prompts).toHaveLength(201);
  await ask('?topic=0');
  expect(prompts).toHaveLength(202);
});

it('refuses a topic that is a text', async () => {
  const { ask, prompts } = world();

  expect(await ask(`?topic=${'x'.repeat(101)}`)).toMatchObject({ status: 400 });
  expect(prompts).toEqual([]);
});

it('asks for four answers at once and no more', async () => {
  const waiting = Promise.withResolvers<string>();
  const { ask } = world({ generate: () => waiting.promise });
  const four = [1, 2, 3, 4].map(topic => ask(`?topic=${topic}`));

  expect(await ask('?topic=5')).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });

  waiting.resolve('at last');
  expect((await Promise.all(four)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect((await ask('?topic=5')).status).toBe(200);
});

it.each([
  [new Error('Could not load the default credentials. Browse to …'), 'no credentials for Vertex AI'],
  [Object.assign(new Error('{"error":{"code":401}}'), { status: 401 }), 'no credentials for Vertex AI'],
  [Object.assign(new Error('{"error":{"code":403}}'), { status: 403 }), 'roles/aiplatform.user'],
  [Object.assign(new Error('{"error":{"code":404}}'), { status: 404 }), 'no model gemini-small'],
  [Object.assign(new Error('{"error":{"code":429}}'), { status: 429 }), 'quota'],
  [
    Object.assign(new Error("Cannot find package '@google/genai'"), { code: 'ERR_MODULE_NOT_FOUND' }),
    'left out of this image',
  ],
  [new Error('secret detail'), 'the guide is not available'],
  ['text', 'the guide is not available'],
])('answers 503 when the model fails with %s, logs it and says what to do', async (error, said) => {
  const { ask, logged } = world(failing(error));

  const reply = await ask();

  expect(reply.status).toBe(503);
  expect(JSON.stringify(reply.body)).toContain(said);
  expect(JSON.stringify(reply.body)).not.toContain('secret detail');
  expect(logged).toMatchObject([{ severity: 'WARNING' }]);
});

it('keeps no failure', async () => {
  let calls = 0;
  const { ask } = world({
    async generate() {
      if (calls++ === 0) throw new Error('once');
      return 'well';
    },
  });

  expect((await ask()).status).toBe(503);
  expect((await ask()).status).toBe(200);
});

it('waits for a model that does not answer, and does not mind the signal, only so long', async () => {
  const { ask } = world({ generate: () => new Promise(() => {}), timeoutMs: 1 });

  expect((await ask()).body).toEqual({ error: 'the guide did not answer in time' });
});
