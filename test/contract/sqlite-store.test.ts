import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import { aWorld } from '../worlds.ts';
import { storeContract } from './store-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-store-'));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true }));

storeContract('SQLite in memory', async nowMs => sqliteStore(':memory:', nowMs));
storeContract('SQLite in a file', async nowMs => sqliteStore(join(folder, `${++files}.sqlite`), nowMs));

test('two processes may share one file', async () => {
  const file = join(folder, 'shared.sqlite');
  const one = sqliteStore(file);
  const two = sqliteStore(file);
  const { rollout } = aWorld();
  await one.transact(async transaction => transaction.write('rollout', rollout.id, rollout));
  expect((await two.read('rollout', rollout.id))?.id).toBe(rollout.id);
  await one.close();
  await two.close();
});
