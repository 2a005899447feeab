import { defineConfig } from 'vitest/config';

const MINUTE_MS = 60_000;

export default defineConfig({
  test: {
    include: ['test/kubernetes/*.suite.ts'],
    pool: 'forks',
    testTimeout: 15 * MINUTE_MS,
    hookTimeout: 15 * MINUTE_MS,
  },
});
