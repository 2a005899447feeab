import { defineConfig } from 'vitest/config';

const common = {
  pool: 'forks',
  // Bounds for what hangs, not expectations: two busy cores take their time.
  testTimeout: 120_000,
  hookTimeout: 120_000,
} as const;

export default defineConfig({
  test: {
    maxWorkers: 3,
    projects: [
      {
        // These keep nothing in their modules that another file could trip over, so modules are loaded once per worker.
        test: { ...common, name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false },
      },
      {
        test: {
          ...common,
          name: 'whole',
          include: ['test/{contract,e2e}/**/*.test.ts'],
        },
      },
    ],
  },
});
