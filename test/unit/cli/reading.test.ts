import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../../cli/main.ts';
import type { Screen } from '../../../cli/output.ts';
import { newServiceState, note, type Rollout } from '../../../functions/rollout/record.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import type { Store } from '../../../functions/store/store.ts';
import { aWorld, play, START_MS, UNTIL_GATE, UNTIL_HEALTHY } from '../../worlds.ts';
import { Paper } from './terminal.ts';

const HOSTILE = 'red \u001b[31m back \u202e <b>\nnext';
const SCREEN: Screen = { columns: 100, rows: 24, onResize: () => () => {} };

let folder: string;
let store: Store;
let env: NodeJS.ProcessEnv;

const waiting = play(aWorld(), UNTIL_GATE).world;
const healthy = play(aWorld(), UNTIL_HEALTHY).world.rollout;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-cli-'));
  env = { SLIPWAY_STORE: `sqlite:${path.join(folder, 'records.sqlite')}` };
  store = sqliteStore(path.join(folder, 'records.sqlite'));
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await save(
    waiting.rollout,
    { ...healthy, id: 'other-1', service: 'other', tag: 'v0', createdMs: START_MS - 1 },
    { ...healthy, id: 'odd-1', service: 'odd', phase: 'Degraded', message: HOSTILE, createdMs: START_MS - 2 },
  );
  await store.transact(async transaction => {
    const frozen = { by: 'ann', reason: undefined, sinceMs: START_MS };
    transaction.write('service', 'hello', {
      ...newServiceState('hello'),
      active: waiting.rollout.id,
      frozen,
    });
    transaction.write('service', 'other', { ...newServiceState('other'), healthy: 'other-1' });
    transaction.write('service', 'odd', newServiceState('odd'));
  });
});

/** Changed just now: those that were rolled back are forgotten after 90 days. */
function save(...rollouts: readonly Rollout[]): Promise<void> {
  const updatedMs = Date.now();
  return store.transact(async transaction => {
    for (const rollout of rollouts) transaction.write('rollout', rollout.id, { ...rollout, updatedMs });
  });
}

async function slipway(...argv: string[]): Promise<{ code: number; output: string; errors: string }> {
  const paper = new Paper(env);
  return { code: await run(argv, paper), output: paper.output, errors: paper.errors };
}

const { id } = waiting.rollout;

describe('get rollout', () => {
  test.each([
    ['its id', id],
    ['its service', 'hello'],
  ])('draws the tree of a rollout by %s', async (_what, name) => {
    const { code, output } = await slipway('get', 'rollout', name);
    expect(code).toBe(0);
    expect(output).toMatch(/^NAME .* INFO\n/);
    expect(output).toMatch(new RegExp(`^${id} +Rollout +॥ Paused .* v1: Paused at wave 1 step 4`, 'm'));
    expect(output).toMatch(/^│ {2}└─ us +CloudRun +✔ Canary +50% /m);
  });

  test('gives the record as JSON and as YAML, without what is nobody’s business', async () => {
    const asJson = JSON.parse((await slipway('get', 'rollout', 'hello', '-o', 'json')).output);
    const asYaml = parse((await slipway('get', 'rollout', 'hello', '-o', 'yaml')).output);
    expect(asJson).toMatchObject({ id, phase: 'Paused', targets: { us: { weight: 50 } } });
    expect(asJson).not.toHaveProperty('callback');
    expect(asYaml).toEqual(asJson);
  });

  test('says which services there are when there is none of the name', async () => {
    const { code, output, errors } = await slipway('get', 'rollout', 'helo');
    expect(code).toBe(2);
    expect(output).toBe('');
    expect(errors).toBe(
      'There is no rollout "helo", and no service of that name has had one; on record: hello, odd, other.\n',
    );
  });
});

describe('get rollout --watch', () => {
  test('appends what happens, and ends as the rollout does', async () => {
    const paper = new Paper(env);
    const watching = run(['get', 'rollout', 'hello', '-w'], paper);
    await until(() => paper.output.includes('Paused at wave 1 step 4'));
    await save(
      note({ ...waiting.rollout, phase: 'Degraded' }, START_MS, 'RolledBack', `Rolled back ${HOSTILE}`),
    );
    expect(await watching).toBe(1);
    const lines = paper.output.trimEnd().split('\n');
    expect(lines).toHaveLength(waiting.rollout.history.length + 1);
    expect(lines.at(-1)).toMatch(/^09:00:00\.000 {2}Degraded {5}Rolled back red {2}\[31m back {3}<b> next$/);
    expect(paper.isListening).toBe(false);
  });

  test('draws on a terminal, and Ctrl-C gives the cursor back', async () => {
    const paper = new Paper(env, true, SCREEN);
    const watching = run(['get', 'rollout', id, '-w'], paper);
    await until(() => paper.output.includes('Canary'));
    expect(paper.output.startsWith('\u001b[?25l')).toBe(true);
    paper.interrupt();
    expect(await watching).toBe(130);
    expect(paper.output.endsWith('\u001b[?25h')).toBe(true);
  });

  test('ends when the local cloud whose records it reads is gone', async () => {
    const file = path.join(folder, 'short.sqlite');
    const short = sqliteStore(file);
    await short.transact(async transaction => transaction.write('rollout', id, waiting.rollout));
    await short.close();
    const paper = new Paper({ SLIPWAY_STORE: `sqlite:${file}` });
    const watching = run(['get', 'rollout', id, '-w'], paper);
    await until(() => paper.output.includes('Paused at wave 1 step 4'));
    await rm(file);
    expect(await watching).toBe(2);
    expect(paper.errors).toContain('short.sqlite, which cannot be read: ENOENT');
  });

  test('gives a line of JSON for every change', async () => {
    const paper = new Paper(env);
    const watching = run(['get', 'rollout', id, '-w', '-o', 'json'], paper);
    await until(() => paper.output.includes('\n'));
    await save({ ...waiting.rollout, phase: 'Healthy' });
    expect(await watching).toBe(0);
    expect(
      paper.output
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).phase),
    ).toEqual(['Paused', 'Healthy']);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setImmediate(resolve));
}

describe('list', () => {
  test('has a line for each service, with what is in flight, serves or was last', async () => {
    const { code, output } = await slipway('list');
    expect(code).toBe(0);
    const rows = output
      .trimEnd()
      .split('\n')
      .map(line => line.replace(/ {2,}/g, '|'));
    expect(rows).toHaveLength(4);
    expect(rows[0]).toBe('SERVICE|ROLLOUT|TAG|PHASE|WEIGHT|AGE|INFO');
    expect(rows[1]).toMatch(
      new RegExp(`^hello\\|${id}\\|v1\\|॥ Paused\\|50%\\|\\d+[hd]\\|frozen by ann; Paused at`),
    );
    expect(rows[2]).toMatch(/^odd\|odd-1\|v1\|✖ Degraded\|.*red \[31m back|<b> next$/);
    expect(rows[3]).toMatch(/^other\|other-1\|v0\|✔ Healthy\|/);
    expect(output).not.toContain('\u001b');
  });

  test('has rollouts of a service or a phase, and says when there are more', async () => {
    const one = await slipway('list', '--phase', 'Degraded', 'Healthy', '-o', 'json');
    expect(JSON.parse(one.output)).toMatchObject([
      { rollout: 'other-1' },
      { rollout: 'odd-1', message: HOSTILE },
    ]);
    const cut = await slipway('list', 'rollouts', '--limit', '1');
    expect(cut.output.trimEnd().split('\n')).toHaveLength(2);
    expect(cut.errors).toBe('There are more than 1; --limit shows more.\n');
    expect((await slipway('list', '--service', 'nobody')).output).toBe('No such rollout.\n');
  });
});

describe('status', () => {
  test.each([
    ['other', 0, /^other-1 \(v0\): ✔ Healthy: Promotion completed! /],
    ['odd', 1, /^odd-1 \(v1\): ✖ Degraded: red {2}\[31m back/],
    [
      'hello',
      2,
      /^hello-\w+ \(v1\): ॥ Paused: wave 1 of 2, step 4 of 4: Paused at wave 1 step 4: waiting for promote\n$/,
    ],
  ])('of %s ends with %i', async (name, expected, line) => {
    const { code, output, errors } = await slipway('status', name);
    expect(code).toBe(expected);
    expect(output).toMatch(line);
    expect(errors).toBe('');
  });

  test('waits for a rollout that has not begun, until it is over', async () => {
    const paper = new Paper(env);
    const asked = run(['status', 'hello', '--tag', 'v2', '--timeout', '1m'], paper);
    await new Promise(resolve => setImmediate(resolve));
    await save({ ...healthy, id: 'hello-2', tag: 'v2' });
    expect(await asked).toBe(0);
    expect(paper.output).toMatch(/^hello-2 \(v2\): ✔ Healthy/);
  });

  test('takes no earlier rollout of a tag for the digest that was pushed', async () => {
    const [first, second] = ['1', '2'].map(digit => `sha256:${digit.repeat(64)}`) as [string, string];
    await save({ ...healthy, id: 'other-main', service: 'other', tag: 'main', digest: first });
    const asked = (digest: string) => slipway('status', 'other', '--tag', 'main', '--digest', digest);
    expect(await asked(first)).toMatchObject({ code: 0 });
    expect(await asked(second)).toMatchObject({
      code: 2,
      output: '',
      errors: `other has had no rollout of main@${second} yet.\n`,
    });
  });

  test('says where it is when time is up', async () => {
    const { code, output, errors } = await slipway('status', 'hello', '--timeout', '10ms');
    expect(code).toBe(2);
    expect(output).toMatch(/^hello-\w+ \(v1\): ॥ Paused/);
    expect(errors).toBe('Not over within 0.01 s; --timeout allows more.\n');
    const none = await slipway('status', 'hello', '--tag', 'v9', '--timeout', '10ms');
    expect(none).toMatchObject({ code: 2, errors: 'hello has had no rollout of v9 yet.\n' });
  });
});

test('history has what happened, in order, the newest so many', async () => {
  const all = await slipway('history', 'hello');
  expect(all.output).toMatch(/^TIME +REASON +TARGET +MESSAGE\n2026-01-05 09:00:00 UTC {2}RolloutCreated /);
  const two = await slipway('history', 'hello', '--limit', '2', '-o', 'json');
  expect(JSON.parse(two.output).history).toEqual(waiting.rollout.history.slice(-2));
});

describe('explain', () => {
  test('has the sentence, the facts, and links into Google’s console unless everything is here', async () => {
    const { code, output } = await slipway('explain', 'hello', '--project', 'acme');
    expect(code).toBe(0);
    expect(output).toMatch(/^hello v1 \(sha256:aaaaaaaaaaaa\) waits and does not advance by itself\. /);
    expect(output).toMatch(
      /\nWaiting:\n {2}hello is frozen by ann, waiting for unfreeze\.\n {2}At wave 1 step 4 since /,
    );
    expect(output).toMatch(/\nMore:\n {2}Logs: https:\/\/console\.cloud\.google\.com\/logs\/query;/);
    expect(output).toMatch(/\n {2}Monitoring: https:\S+project=acme\n/);
    const here = new Paper({ ...env, SLIPWAY_CONSOLE_URL: 'http://127.0.0.1:1/' });
    await run(['explain', 'hello'], here);
    expect(here.output).not.toContain('console.cloud.google.com');
    expect(here.output).toContain(`\n  Console: http://127.0.0.1:1/rollouts/${id}\n`);
  });

  test('shows what is hostile and lets none of it act', async () => {
    const { output } = await slipway('explain', 'odd');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(output).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(output).toContain('[31m back   <b> next');
  });
});

test.each([
  [
    'a file that is no database',
    import.meta.filename,
    /^SLIPWAY_STORE names .*reading\.test\.ts, which cannot be read: /,
  ],
  ['no file', '/nowhere/records.sqlite', /^SLIPWAY_STORE names \/nowhere\/records\.sqlite, which cannot/],
])('a store in %s ends with 2 and is named', async (_what, file, message) => {
  const paper = new Paper({ SLIPWAY_STORE: `sqlite:${file}` });
  expect(await run(['list', '-o', 'json'], paper)).toBe(2);
  expect(paper).toMatchObject({ output: '', errors: expect.stringMatching(message) });
});

test('a kind of store that there is not is told', async () => {
  const paper = new Paper({ SLIPWAY_STORE: 'records.sqlite' });
  expect(await run(['list'], paper)).toBe(2);
  expect(paper.errors).toContain(
    'expected firestore, firestore:DATABASE or sqlite:FILE, found "records.sqlite"',
  );
});

test('without a project, a store or a local cloud it says what to name', async () => {
  const paper = new Paper({});
  expect(await run(['list'], paper)).toBe(2);
  expect(paper.errors).toMatch(/--project ID .*GOOGLE_CLOUD_PROJECT.* --local/);
});
