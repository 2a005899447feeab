import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assetsIn } from '../../../functions/console/assets.ts';
import { asks } from './asking.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slipway-assets-'));
});
afterEach(() => rm(parent, { recursive: true }));

test('files that could not be read are read again for the next who asks', async () => {
  const folder = join(parent, 'page');
  const assets = assetsIn(pathToFileURL(`${folder}/`));
  await expect(assets('index.html', asks('/'))).rejects.toThrow('ENOENT');
  await mkdir(folder);
  await writeFile(join(folder, 'index.html'), '<!doctype html>');
  expect((await assets('index.html', asks('/'))).status).toBe(200);
});
