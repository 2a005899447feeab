import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunOptions, runWorkflow } from '../../../cli/commands/workflows-run.ts';
import { serve } from '../../../local/http.ts';
import { Paper } from './terminal.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-workflows-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(source: string, options: RunOptions = {}, paper = new Paper()) {
  const file = path.join(folder, 'tried.yaml');
  await writeFile(file, source);
  return { answer: await runWorkflow(file, options, paper), paper };
}

describe('slipway workflows run', () => {
  test('gives the result on one side, and the log and the steps on the other', async () => {
    const source = `
main:
  params: [args]
  steps:
    - greet: {call: sys.log, args: {text: '\${"hello " + args.name}', severity: NOTICE}}
    - done: {return: {name: '\${args.name}', home: '\${sys.get_env("HOME_TOWN")}'}}
`;
    const options = { data: '{"name": "ann"}', env: ['HOME_TOWN=Thun'], steps: true };
    const { answer, paper } = await run(source, options);
    expect(answer).toBe('yes');
    expect(JSON.parse(paper.output)).toEqual({ name: 'ann', home: 'Thun' });
    expect(paper.errors).toBe('STEP     main.greet\nNOTICE   hello ann\nSTEP     main.done\n');
  });

  test('lets requests go to this machine and nowhere else, and serves callbacks', async () => {
    const server = await serve(() => ({ status: 200, body: { answer: 42 } }));
    const source = `
main:
  params: [args]
  steps:
    - near: {call: http.get, args: {url: '\${args.url}'}, result: near}
    - callback: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: callback}
    - call: {call: http.post, args: {url: '\${callback.url}', body: {}}}
    - wait: {call: events.await_callback, args: {callback: '\${callback}', timeout: 5}}
    - far:
        try: {call: http.get, args: {url: "https://example.com/"}}
        except: {as: e, steps: [{said: {return: ['\${near.body.answer}', '\${e.message}']}}]}
`;
    const { answer, paper } = await run(source, { data: JSON.stringify({ url: server.url }) });
    await server.close();
    expect(answer).toBe('yes');
    expect(JSON.parse(paper.output)).toEqual([
      42,
      expect.stringContaining('requests of a workflow that runs here may go to this machine alone'),
    ]);
  });

  test('ends with no when it fails, and says where', async () => {
    const { answer, paper } = await run('main:\n  steps:\n    - oops:\n        raise: "no \\e[2J way"\n');
    expect(answer).toBe('no');
    expect(paper.output).toBe('');
    expect(paper.errors).toMatch(
      /tried\.yaml: FAILED: no {2}?\[2J way\n {2}at main\.oops \(line 4, column 9\)\n$/,
    );
  });

  test('refuses what cannot be deployed, and an argument that is no JSON', async () => {
    await expect(run('main:\n  steps:\n    - a: {call: no.such}\n')).rejects.toThrow(
      /tried\.yaml:3:\d+: .*no\.such/,
    );
    await expect(run('main: {steps: [{a: {return: 1}}]}', { data: '{' })).rejects.toThrow(
      '--data: argument: not JSON',
    );
    await expect(run('main: {steps: [{a: {return: 1}}]}', { env: ['X'] })).rejects.toThrow(
      'expected NAME=VALUE',
    );
  });

  test('is cancelled by Ctrl-C', async () => {
    const paper = Object.assign(new Paper(), {
      onInterrupt: (listener: () => void) => {
        setTimeout(listener, 20);
        return () => {};
      },
    });
    const { answer } = await run('main: {steps: [{a: {call: sys.sleep, args: {seconds: 3600}}}]}', {}, paper);
    expect(answer).toBe('interrupted');
    expect(paper.output).toBe('');
  });
});
