import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest comes first, so that no processor is idle at the end: servers, then commands, then the rest. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const places = ['/test/postgres/', '/test/cli/', '/test/crash/', '/test/repository/', '/test/'];
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = places.findIndex((place) => moduleId.includes(place));
      return index === -1 ? places.length : index;
    };
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Processes, not threads: tests send signals, start worker threads of their own and load native code.
    pool: 'forks',
    // On two processors: a third of the tests' time is spent waiting for a server or a deadline.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // What is tested is what Node itself loads, as in `bin/holdfast`; a file's imports take half the time as well.
    experimental: { viteModuleRunner: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './scripts/vitest-reporter.ts'],
  },
});
