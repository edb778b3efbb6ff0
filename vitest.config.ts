import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Processes, not threads: tests send signals, start worker threads of their own and load native code.
    pool: 'forks',
    // On two processors: a third of the tests' time is spent waiting for a server or a deadline.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './scripts/vitest-reporter.ts'],
  },
});
