import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Bounds for what hangs, not expectations: two busy cores take their time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
