import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeExecution, listExecutions, listWorkflows } from '../../cli/commands/workflows.ts';
import { realClock } from '../../local/clock.ts';
import { type HttpServer, serve } from '../../local/http.ts';
import { WorkflowsCore } from '../../local/workflows/engine.ts';
import { executionsApi } from '../../local/workflows/executions-api.ts';
import { Paper } from '../unit/cli/terminal.ts';

const PARENT = 'projects/acme/locations/us-central1';
const ROLLOUT = `${PARENT}/workflows/rollout`;
const SOURCE = `
main:
  params: [args]
  steps:
    - what:
        switch:
          - {condition: '\${args.rollout == "bad-1"}', raise: {message: 'the region "us" is away', code: 7}}
          - {condition: '\${args.rollout == "slow-1"}', next: rest}
    - done: {return: well}
    - rest: {call: sys.sleep, args: {seconds: 3600}}
`;

let core: WorkflowsCore;
let server: HttpServer;
const names: string[] = [];

beforeAll(async () => {
  core = new WorkflowsCore({
    clock: realClock,
    project: 'acme',
    send: () => Promise.reject(new Error('asks for nothing')),
    baseUrl: () => server.url,
  });
  server = await serve(executionsApi(core));
  core.deploy(PARENT, 'rollout', SOURCE);
  core.deploy(PARENT, 'rollback', SOURCE);
  for (const rollout of ['good-1', 'bad-1', 'slow-1']) {
    names.push(core.createExecution(ROLLOUT, { argument: JSON.stringify({ rollout }) }).name);
  }
  const states = () => names.map(name => core.getExecution(name).state);
  await vi.waitFor(() => expect(states()).toEqual(['SUCCEEDED', 'FAILED', 'ACTIVE']));
});
afterAll(async () => {
  core?.stop();
  await server?.close();
});

function paper(): Paper {
  return new Paper({
    CLOUDSDK_API_ENDPOINT_OVERRIDES_WORKFLOWEXECUTIONS: server.url,
    GOOGLE_CLOUD_PROJECT: 'acme',
  });
}

test('slipway workflows list counts the executions of both', async () => {
  const shown = paper();
  expect(await listWorkflows({ output: 'json' }, shown)).toBe('yes');
  expect(JSON.parse(shown.output)).toMatchObject([
    {
      workflow: 'rollout',
      executions: 3,
      running: 1,
      succeeded: 1,
      failed: 1,
      newest: { rollout: 'slow-1' },
    },
    { workflow: 'rollback', executions: 0 },
  ]);
  const text = paper();
  await listWorkflows({ output: 'text' }, text);
  expect(text.output).toMatch(/^rollout +us-central1 +3 +1 +1 +1 +\d+s ago +ACTIVE$/m);
});

test('slipway workflows executions tells rollout, step and error, and can be narrowed', async () => {
  const shown = paper();
  await listExecutions({ limit: 20, output: 'text' }, shown);
  expect(shown.output).toMatch(/ rollout +ACTIVE +\S+ ago +slow-1 +main\.rest$/m);
  expect(shown.output).toMatch(/ rollout +FAILED +\S+ ago +bad-1 +the region "us" is away$/m);
  const failed = paper();
  await listExecutions({ workflow: 'rollout', state: 'FAILED', limit: 20, output: 'json' }, failed);
  expect(JSON.parse(failed.output)).toMatchObject([{ name: names[1], state: 'FAILED', rollout: 'bad-1' }]);
});

test('slipway workflows describe finds an execution by its id, with argument, result and error', async () => {
  const id = names[1]?.split('/').at(-1) ?? '';
  const shown = paper();
  await describeExecution(id, { output: 'text' }, shown);
  expect(shown.output).toMatch(/^argument +\{"rollout":"bad-1"\}$/m);
  expect(shown.output).toMatch(/^error +the region "us" is away$/m);
  expect(shown.output).toMatch(/^ {2}at +main\.what \(line \d+, column \d+\)$/m);
  expect(shown.output).toContain(`/us-central1/rollout/execution/${id}?project=acme`);
  const good = paper();
  await describeExecution(names[0] ?? '', { output: 'json' }, good);
  expect(JSON.parse(good.output)).toMatchObject({
    state: 'SUCCEEDED',
    result: '"well"',
    workflow: 'rollout',
  });
  await expect(describeExecution('nope', { output: 'text' }, paper())).rejects.toThrow(
    'There is no execution nope of rollout or rollback in acme, us-central1',
  );
});
