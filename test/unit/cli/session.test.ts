import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../cli/main.ts';
import { environmentFor } from '../../../cli/session.ts';
import { Paper } from './terminal.ts';

const NONE = { color: true } as const;
/** No process has it: the largest of Linux is 4194304. */
const GONE = 99_999_999;

let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'slipway-session-'));
  file = path.join(folder, '.slipway', 'local.json');
  await mkdir(path.join(folder, '.slipway'));
  await mkdir(path.join(folder, 'below', 'it'), { recursive: true });
  const env = { GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_STORE: 'sqlite:x' };
  await writeFile(file, JSON.stringify({ pid: process.pid, env, urls: {} }));
  await writeFile(path.join(folder, 'gone.json'), JSON.stringify({ pid: GONE, env, urls: {} }));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the environment of a command', () => {
  test('is the process’s where nothing else is asked for', async () => {
    expect(await environmentFor({ A: '1', SLIPWAY_LOCAL: '0' }, NONE, folder)).toEqual({ A: '1' });
  });

  test('is the local cloud’s, from the nearest folder above, the project as asked for', async () => {
    const below = path.join(folder, 'below', 'it');
    const env = { A: '1', GOOGLE_CLOUD_PROJECT: 'other', SLIPWAY_LOCAL: '1' };
    expect(await environmentFor(env, NONE, below)).toEqual({
      A: '1',
      GOOGLE_CLOUD_PROJECT: 'acme',
      SLIPWAY_STORE: 'sqlite:x',
      SLIPWAY_LOCAL: file,
    });
    const asked = await environmentFor({}, { ...NONE, local: file, project: 'mine' }, '/');
    expect(asked).toMatchObject({ GOOGLE_CLOUD_PROJECT: 'mine', SLIPWAY_STORE: 'sqlite:x' });
  });

  test('is not the local cloud’s where a project is named and only the shell says local', async () => {
    const env = await environmentFor({ SLIPWAY_LOCAL: '1' }, { ...NONE, project: 'prod' }, folder);
    expect(env).toEqual({ GOOGLE_CLOUD_PROJECT: 'prod' });
  });

  test.each([
    ['no file', 'none.json', /none\.json is not there.*npm start/],
    ['one that was left behind', 'gone.json', /process 99999999, which left .* is gone/],
  ])('is none with %s', async (_what, name, message) => {
    await expect(environmentFor({}, { ...NONE, local: name }, folder)).rejects.toThrow(message);
  });
});

test('--local before a command takes no command for a file', async () => {
  const before = process.cwd();
  const paper = new Paper();
  process.chdir(path.join(folder, 'below'));
  try {
    expect(await run(['--local', 'list'], paper)).toBe(2);
  } finally {
    process.chdir(before);
  }
  expect(paper.errors).toMatch(/^SLIPWAY_STORE names x, which cannot be read/);
});
