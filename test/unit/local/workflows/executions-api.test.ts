// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { googleClients } from '../../../../functions/google/clients.ts';
import { normalise } from '../../../../functions/google/errors.ts';
import { realClock } from '../../../../local/clock.ts';
import { type HttpServer, serve } from '../../../../local/http.ts';
import { WorkflowsCore } from '../../../../local/workflows/engine.ts';
import type { LogEntry } from '../../../../local/workflows/execution.ts';
import { executionsApi } from '../../../../local/workflows/executions-api.ts';
import { sendByFetch } from '../../../../local/workflows/send.ts';
import { PARENT, WORKFLOW } from './support.ts';

let server: HttpServer;
let core: WorkflowsCore;
let logs: LogEntry[];

beforeEach(async () => {
  logs = [];
  core = new WorkflowsCore({
    clock: realClock,
    project: 'acme',
    send: sendByFetch,
    baseUrl: () => server.url,
    onLog: entry => logs.push(entry),
  });
  server = await serve(executionsApi(core));
});

afterEach(async () => {
  core.stop();
  await server.close();
});

const executions = () => googleClients({ workflowexecutions: server.url }).executions();

async function post(
  path: string,
  body: unknown,
  method = 'POST',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const url = path.startsWith('http') ? path : `${server.url}/v1/${path}`;
  const response = await fetch(url, { method, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Asks until the execution is in this state. */
async function untilState(name: string, state: string): Promise<void> {
  while (core.getExecution(name).state !== state) await new Promise(resolve => setImmediate(resolve));
}

describe("Google's own client", () => {
  test('creates, reads and lists executions', async () => {
    core.deploy(PARENT, 'tested', 'main:\n  params: [a]\n  steps: [{s: {return: "${a.n + 1}"}}]', {});
    const client = await executions();
    const [created] = await client.createExecution({
      parent: WORKFLOW,
      execution: {
        argument: '{"n": 9007199254740993}',
        labels: { digest: 'abc' },
        callLogLevel: 'LOG_ERRORS_ONLY',
      },
    });
    expect(created.state).toBe('ACTIVE');
    expect(created.callLogLevel).toBe('LOG_ERRORS_ONLY');
    await untilState(created.name ?? '', 'SUCCEEDED');
    const [read] = await client.getExecution({ name: created.name ?? '' });
    expect(read).toMatchObject({ state: 'SUCCEEDED', result: '9007199254740994', labels: { digest: 'abc' } });
    expect(read.status?.currentSteps).toMatchObject([{ routine: 'main', step: 's' }]);
    expect(Number(read.startTime?.seconds)).toBeGreaterThan(0);
    const [listed] = await client.listExecutions({
      parent: WORKFLOW,
      view: 'FULL',
      filter: 'labels.digest="abc"',
    });
    expect(listed.map(({ name, argument }) => ({ name, argument }))).toEqual([
      { name: created.name, argument: '{"n": 9007199254740993}' },
    ]);
  });

  test('sees a failure with payload and stack', async () => {
    core.deploy(PARENT, 'tested', '- s:\n    raise: {code: 7}\n', {});
    const client = await executions();
    const [created] = await client.createExecution({ parent: WORKFLOW, execution: {} });
    await untilState(created.name ?? '', 'FAILED');
    const [{ error }] = await client.getExecution({ name: created.name ?? '' });
    expect(error?.payload).toBe('{"code":7}');
    expect(error?.stackTrace?.elements?.[0]?.step).toBe('s');
    expect(Number(error?.stackTrace?.elements?.[0]?.position?.line)).toBe(2);
  });

  test('cancels, once', async () => {
    core.deploy(PARENT, 'tested', '- s:\n    call: sys.sleep\n    args: {seconds: 3600}\n', {});
    const client = await executions();
    const [{ name }] = await client.createExecution({ parent: WORKFLOW, execution: {} });
    const [cancelled] = await client.cancelExecution({ name: name ?? '' });
    expect(cancelled.state).toBe('CANCELLED');
    const failure = await client
      .cancelExecution({ name: name ?? '' })
      .catch(error => normalise(error, 'cancel'));
    expect(failure).toMatchObject({
      code: 'InvalidArgument',
      message: expect.stringContaining('is CANCELLED'),
    });
  });

  test('is told what is not there', async () => {
    const client = await executions();
    const failure = await client
      .getExecution({ name: `${WORKFLOW}/executions/x` })
      .catch(error => normalise(error, 'get'));
    expect(failure).toMatchObject({ code: 'NotFound' });
  });
});

describe('the wire', () => {
  test('enums are taken and told as numbers for clients that ask so', async () => {
    core.deploy(PARENT, 'tested', '- s: {return: 1}\n', {});
    const int = '$alt=json%3Benum-encoding=int';
    const { status, body } = await post(`${WORKFLOW}/executions?${int}`, { callLogLevel: 2 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 1, callLogLevel: 2 });
    await untilState(String(body['name']), 'SUCCEEDED');
    const listed = await fetch(`${server.url}/v1/${WORKFLOW}/executions?${int}`);
    expect(await listed.json()).toMatchObject({ executions: [{ state: 2 }] });
  });

  test('a callback URL wakes the execution; afterwards it is gone', async () => {
    let callbackUrl = '';
    const activity = await serve(({ body }) => {
      callbackUrl = JSON.parse(body.toString()).callback;
      return { status: 200, body: {} };
    });
    const source = `
- create: {call: events.create_callback_endpoint, result: callback}
- tell: {call: http.post, args: {url: "${activity.url}", body: {callback: "\${callback.url}"}, auth: {type: OIDC}}}
- wait: {call: events.await_callback, args: {callback: "\${callback}", timeout: 60}, result: got}
- out: {return: "\${got.http_request}"}`;
    core.deploy(PARENT, 'tested', source, {});
    const { name } = core.createExecution(WORKFLOW);
    while (callbackUrl === '') await new Promise(resolve => setImmediate(resolve));
    expect((await post(callbackUrl, {}, 'PUT')).status).toBe(400);
    expect(await post(`${callbackUrl}?who=me`, { approved: true })).toEqual({ status: 200, body: {} });
    await untilState(name, 'SUCCEEDED');
    expect(JSON.parse(core.getExecution(name).result ?? '')).toMatchObject({
      body: { approved: true },
      method: 'POST',
      query: { who: 'me' },
    });
    expect((await post(callbackUrl, {})).status).toBe(404);
    await activity.close();
  });

  test('a second request for a callback that nobody awaits yet is refused with 429', async () => {
    const source = `
- create: {call: events.create_callback_endpoint, result: callback}
- tell: {call: sys.log, args: {text: "\${callback.url}"}}
- busy: {call: sys.sleep, args: {seconds: 3600}}`;
    core.deploy(PARENT, 'tested', source, {});
    core.createExecution(WORKFLOW);
    while (logs.length === 0) await new Promise(resolve => setImmediate(resolve));
    const callbackUrl = logs[0]?.textPayload ?? '';
    expect((await post(callbackUrl, {})).status).toBe(200);
    expect(await post(callbackUrl, {})).toMatchObject({
      status: 429,
      body: { error: { status: 'RESOURCE_EXHAUSTED' } },
    });
  });

  test('workflows are deployed, updated and read', async () => {
    const source = '- s: {return: \'${sys.get_env("URL")}\'}\n';
    const created = await post(`${PARENT}/workflows?workflowId=tested`, {
      sourceContents: source,
      userEnvVars: { URL: 'a' },
    });
    expect(created.body).toMatchObject({
      done: true,
      response: { name: WORKFLOW, state: 'ACTIVE', userEnvVars: { URL: 'a' } },
    });
    expect((await fetch(`${server.url}/v1/${created.body['name']}`)).status).toBe(200);
    expect((await post(`${PARENT}/workflows?workflowId=tested`, { sourceContents: source })).status).toBe(
      409,
    );
    const updated = await post(`${WORKFLOW}?updateMask=userEnvVars`, { userEnvVars: { URL: 'b' } }, 'PATCH');
    expect(updated.body).toMatchObject({
      response: { revisionId: expect.stringMatching(/^000002-/), sourceContents: source },
    });
    const read = await fetch(`${server.url}/v1/${WORKFLOW}`);
    expect(await read.json()).toMatchObject({ name: WORKFLOW, userEnvVars: { URL: 'b' } });
    const listed = await fetch(`${server.url}/v1/${PARENT}/workflows`);
    expect(await listed.json()).toMatchObject({ workflows: [{ name: WORKFLOW }] });
  });

  test('a source that does not compile is refused with every problem and its place', async () => {
    const { status, body } = await post(`${PARENT}/workflows?workflowId=tested`, {
      sourceContents: '- a: {return: "${x}"}\n- b: {call: nothing}\n',
    });
    expect(status).toBe(400);
    expect(body['error']).toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/1:16: .*'x'[\s\S]*2:7: .*'nothing'/),
    });
  });

  test.each([
    ['POST', `${WORKFLOW}/executions`, '{"argument": 7}', 400],
    ['POST', `${WORKFLOW}/executions`, 'no json', 400],
    ['POST', `${WORKFLOW}/executions`, '{"callLogLevel": 9}', 400],
    ['POST', `${PARENT}/workflows/none/executions`, '{}', 404],
    ['DELETE', `${WORKFLOW}/executions/x`, '', 501],
    ['POST', `${PARENT}/workflows?workflowId=w`, '{"unknown": 1}', 400],
    ['GET', 'projects/acme/elsewhere', '', 404],
  ])('%s %s with %s answers %i', async (method, path, body, status) => {
    core.deploy(PARENT, 'tested', '- s: {return: 1}\n', {});
    const response = await fetch(`${server.url}/v1/${path}`, { method, ...(body ? { body } : {}) });
    expect(response.status).toBe(status);
  });
});
