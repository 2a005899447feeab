// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../../local/http.ts';
import { SendError } from '../../../../local/workflows/host.ts';
import { createWorld, json, PARENT, start, WORKFLOW } from './support.ts';

const STEPS = `
- one: {call: http.post, args: {url: "http://x/one"}}
- two: {call: sys.sleep, args: {seconds: 10}}
- three:
    try: {call: http.post, args: {url: "http://x/three"}}
    except: {as: e, return: caught}`;

describe('executions', () => {
  test('an execution starts active and ends with times, duration and revision', async () => {
    const world = createWorld();
    const revision = world.core.deploy(PARENT, 'tested', STEPS, {});
    const created = world.core.createExecution(WORKFLOW, {
      labels: { service: 'hello' },
      callLogLevel: 'LOG_NONE',
    });
    expect(created).toMatchObject({
      state: 'ACTIVE',
      argument: 'null',
      labels: { service: 'hello' },
      callLogLevel: 'LOG_NONE',
      startTime: '2026-01-05T09:00:00.000Z',
      workflowRevisionId: revision.revisionId,
    });
    expect(created.name).toMatch(
      /^projects\/acme\/locations\/us-central1\/workflows\/tested\/executions\/[0-9a-f-]{36}$/,
    );
    expect(revision.revisionId).toMatch(/^000001-[0-9a-f]{3}$/);
    await world.clock.advance(3000);
    expect(world.core.getExecution(created.name).status.currentSteps).toEqual([
      { routine: 'main', step: 'two' },
    ]);
    await world.clock.advance(60_000);
    expect(world.core.getExecution(created.name)).toMatchObject({
      state: 'SUCCEEDED',
      result: 'null',
      endTime: '2026-01-05T09:00:10.000Z',
      duration: '10s',
    });
  });

  test('an execution keeps the revision it started with', async () => {
    const world = createWorld();
    const { name } = start(world, '- a: {call: sys.sleep, args: {seconds: 1}}\n- b: {return: old}\n');
    await world.clock.advance(0);
    world.core.deploy(PARENT, 'tested', '- b: {return: new}\n', {});
    await world.clock.advance(1000);
    expect(world.core.getExecution(name).result).toBe('"old"');
    const { name: second } = world.core.createExecution(WORKFLOW);
    await world.clock.advance(0);
    expect(world.core.getExecution(second)).toMatchObject({
      result: '"new"',
      workflowRevisionId: expect.stringMatching(/^000002-/),
    });
  });

  test('a killed execution fails at once, runs no further step and no except', async () => {
    const world = createWorld();
    let answerLate: () => void = () => {};
    world.answer = () =>
      new Promise(resolve => {
        answerLate = () => resolve(json(200, {}));
      });
    const { name } = start(world, STEPS);
    await world.clock.advance(1);
    expect(world.requests).toHaveLength(1);
    world.core.kill(name);
    expect(world.requests[0]?.signal.aborted).toBe(true);
    answerLate();
    await world.clock.advance(60_000);
    expect(world.requests).toHaveLength(1);
    expect(world.core.getExecution(name)).toMatchObject({ state: 'FAILED', duration: '0.001s' });
    expect(world.core.getExecution(name).error?.payload).toContain('internal error');
  });

  test('an execution can be killed before any of its steps', async () => {
    const world = createWorld();
    const reached: string[] = [];
    world.onStep = (execution, stack) => {
      reached.push(stack.map(({ routine, step }) => `${routine}/${step}`).join(' > '));
      if (reached.length === 3) world.core.kill(execution);
    };
    start(
      world,
      'main:\n  steps: [{a: {call: sub}}, {b: {call: sub}}]\nsub:\n  steps: [{s: {call: http.get, args: {url: "http://x"}}}]\n',
    );
    await world.clock.advance(1000);
    expect(reached).toEqual(['main/a', 'main/a > sub/s', 'main/b']);
    expect(world.requests).toHaveLength(1);
  });

  test('a cancelled execution stops where it is', async () => {
    const world = createWorld();
    const { name } = start(world, STEPS);
    await world.clock.advance(5000);
    expect(world.core.cancelExecution(name).state).toBe('CANCELLED');
    await world.clock.advance(60_000);
    expect(world.requests).toHaveLength(1);
    expect(() => world.core.cancelExecution(name)).toThrow('is CANCELLED and cannot be cancelled');
  });

  test('stop gives up timers without changing a state', async () => {
    const world = createWorld();
    const { name } = start(world, STEPS);
    await world.clock.advance(5000);
    world.core.stop();
    await world.clock.advance(60_000);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
  });

  test('stop gives up requests too: nothing goes on after them, and nothing new starts', async () => {
    const world = createWorld();
    world.answer = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new SendError('ConnectionBroken', 'aborted')));
      });
    const { name } = start(
      world,
      '- s:\n    try: {call: http.get, args: {url: "http://x"}}\n    except: {next: s}\n',
    );
    await world.clock.advance(1);
    world.core.stop();
    await world.clock.advance(60_000);
    expect(world.requests).toHaveLength(1);
    expect(world.core.getExecution(name).state).toBe('ACTIVE');
    expect(() => world.core.createExecution(WORKFLOW)).toThrow('has been stopped');
  });

  test('call log levels', async () => {
    const world = createWorld();
    world.answer = async request => json(request.url.endsWith('one') ? 200 : 500, {});
    world.core.deploy(PARENT, 'tested', STEPS, {});
    world.core.createExecution(WORKFLOW, { callLogLevel: 'LOG_ALL_CALLS' });
    world.core.createExecution(WORKFLOW, { callLogLevel: 'LOG_ERRORS_ONLY' });
    await world.clock.advance(20_000);
    const states = world.logs
      .map(({ jsonPayload }) => jsonPayload as { step: string; state: string })
      .map(({ step, state }) => `${step} ${state}`);
    expect(states.sort()).toEqual([
      'one SUCCEEDED',
      'three EXCEPTION_RAISED',
      'three EXCEPTION_RAISED',
      'two SUCCEEDED',
    ]);
  });
});

describe('lists', () => {
  test('newest first, in pages, with filters', async () => {
    const world = createWorld();
    world.core.deploy(
      PARENT,
      'tested',
      'main:\n  params: [n]\n  steps: [{s: {call: sys.sleep, args: {seconds: "${n}"}}}]',
      {},
    );
    const names: string[] = [];
    for (const n of [1, 2, 300]) {
      names.push(world.core.createExecution(WORKFLOW, { argument: String(n), labels: { n: `n${n}` } }).name);
      await world.clock.advance(1000);
    }
    await world.clock.advance(60_000);
    const listed = (filter: string) =>
      world.core.listExecutions(WORKFLOW, { filter }).executions.map(({ name }) => names.indexOf(name ?? ''));
    expect(listed('')).toEqual([2, 1, 0]);
    expect(listed('state="ACTIVE"')).toEqual([2]);
    expect(listed('state = "SUCCEEDED" AND labels.n = "n2"')).toEqual([1]);
    expect(listed('startTime>"2026-01-05T09:00:00.500Z" AND state!="ACTIVE"')).toEqual([1]);
    expect(listed(`executionId="${names[0]?.split('/').at(-1)}"`)).toEqual([0]);
    expect(listed('duration>1.5s')).toEqual([2, 1]);
    const first = world.core.listExecutions(WORKFLOW, { pageSize: 2, view: 'FULL' });
    expect(first.executions).toMatchObject([{ argument: '300' }, { argument: '2' }]);
    const second = world.core.listExecutions(WORKFLOW, { pageSize: 2, pageToken: first.nextPageToken });
    expect(second.executions).toHaveLength(1);
    expect(second.executions[0]).not.toHaveProperty('argument');
    expect(second.nextPageToken).toBeUndefined();
  });

  test.each(['state', 'state="A" OR state="B"', 'colour="red"', '(state="A")'])(
    'the filter %s is refused',
    filter => {
      const world = createWorld();
      world.core.deploy(PARENT, 'tested', '- s: {return: 1}\n', {});
      expect(() => world.core.listExecutions(WORKFLOW, { filter })).toThrow(ApiError);
    },
  );
});

describe('what cannot be deployed or started', () => {
  test.each<[string, Record<string, string>]>([
    ['start with GOOGLE', { GOOGLE_X: '1' }],
    [
      'environment variables; the limit',
      Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`V${index}`, ''])),
    ],
    ['is longer than 4096 bytes', { LONG: 'x'.repeat(5000) }],
  ])('%s', (message, env) => {
    expect(() => createWorld().core.deploy(PARENT, 'tested', '- s: {return: 1}\n', env)).toThrow(message);
  });

  test('an argument that is no JSON or too long, a label that is none, a workflow that is not there', () => {
    const { core } = createWorld();
    core.deploy(PARENT, 'tested', '- s: {return: 1}\n', {});
    expect(() => core.createExecution(WORKFLOW, { argument: '{' })).toThrow('argument: not JSON text');
    expect(() => core.createExecution(WORKFLOW, { argument: `"${'x'.repeat(33_000)}"` })).toThrow(
      'the limit is 32768',
    );
    expect(() => core.createExecution(WORKFLOW, { labels: { Key: 'v' } })).toThrow("label 'Key'");
    expect(() => core.createExecution(`${PARENT}/workflows/none`)).toThrow('does not exist');
    expect(() => core.getExecution(`${WORKFLOW}/executions/none`)).toThrow('does not exist');
    expect(() => core.deploy(PARENT, '1st', '- s: {return: 1}\n', {})).toThrow("workflow id '1st'");
  });
});
