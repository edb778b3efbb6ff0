/** What the runner's own report leaves out: why tests were skipped, and the counts for whoever started the run. */

import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { missingByFile } from '../test/support/missing.ts';

export default class HoldfastReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string) => tests.filter((test) => test.result().state === state);
    // A file that could not be collected, and a hook that failed outside of every test, count as one failure each.
    const brokenModules = modules.filter((module) => module.state() === 'failed' && !hasFailedTest(module));
    listSkipped(inState('skipped'));
    const file = process.env['HOLDFAST_TEST_COUNTS'];
    if (file === undefined) return;
    const counts = {
      passed: inState('passed').length,
      failed: inState('failed').length + brokenModules.length,
      skipped: inState('skipped').length,
    };
    writeFileSync(file, JSON.stringify(counts));
  }
}

function hasFailedTest(module: TestModule): boolean {
  return [...module.children.allTests('failed')].length > 0;
}

function listSkipped(tests: TestCase[]): void {
  if (tests.length === 0) return;
  const missing = missingByFile();
  console.log(`\nSkipped, ${tests.length} in all:`);
  for (const test of tests) {
    const file = test.module.moduleId;
    const reason = noteOf(test) ?? missing.get(file)?.join('; ') ?? guessReason(test);
    console.log(`  ${relative(process.cwd(), file)} > ${test.fullName}: ${reason}`);
  }
}

function noteOf(test: TestCase): string | undefined {
  const result = test.result();
  return result.state === 'skipped' ? result.note : undefined;
}

/** When a hook fails, the runner calls the tests after it skipped. */
function guessReason(test: TestCase): string {
  return test.module.state() === 'failed' ? 'what had to run before it failed' : 'no reason given';
}
