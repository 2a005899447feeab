import { expect, test } from 'vitest';
import { startFunction } from '../bench/start-function.ts';

test('starting the functions loads none of the large clients', async () => {
  const { imported } = await startFunction({ GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_STORE: 'sqlite:unused' });

  expect(imported.packages).toEqual([]);
});
