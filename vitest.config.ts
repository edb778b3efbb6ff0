import { globSync, readFileSync } from 'node:fs';
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

const TESTS = ['src/**/*.test.ts', 'test/**/*.test.ts'];
/** What a test does that others would see in the same process, or that goes by what is in it. */
const ALTERS_PROCESS =
  /\bvi\.(mock|stub|spyOn|useFake)|syncBuiltin|process\.(env|chdir|umask|set\w+id)\b|support\/(cli|command-here)\.ts/;
/** Those that leave a process as it was share one, and what it has loaded: that spares each half a second of a processor. */
const TOGETHER = globSync('src/**/*.test.ts', { cwd: import.meta.dirname })
  .filter((file) => !/^src\/(foundation|main|sandbox)\//.test(file))
  .filter((file) => !ALTERS_PROCESS.test(readFileSync(`${import.meta.dirname}/${file}`, 'utf8')));

/** Those whose modules are replaced: the others' need not be looked through as they are loaded. */
const MOCKED = globSync(TESTS, { cwd: import.meta.dirname }).filter((file) =>
  /\bvi\.mock\(/.test(readFileSync(`${import.meta.dirname}/${file}`, 'utf8')),
);

/** What the tests of each kind have in common. */
const EACH = {
  // Processes, not threads: tests send signals, start worker threads of their own and load native code.
  pool: 'forks' as const,
  // Both processors are busy with tests: collecting on other threads takes a tenth more of them, and a small young generation
  // is collected more often.
  execArgv: ['--single-threaded-gc', '--max-semi-space-size=32'],
  // What is tested is what Node itself loads, as in `bin/holdfast`; a file's imports take half the time as well.
  experimental: { viteModuleRunner: false, nodeLoader: false },
  setupFiles: ['test/support/own-directory.ts', 'test/support/derived-keys.ts'],
  // What is waited for comes soon, but not on a machine that has other things to do.
  expect: { poll: { timeout: 30_000 } },
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...EACH, name: 'apart', include: TESTS, exclude: [...TOGETHER, ...MOCKED] } },
      { test: { ...EACH, name: 'mocked', include: MOCKED, experimental: { viteModuleRunner: false } } },
      { test: { ...EACH, name: 'together', include: TOGETHER, isolate: false } },
    ],
    // On two processors: half of the tests' time is spent waiting for a server or a deadline.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', './scripts/vitest-reporter.ts'],
  },
});
