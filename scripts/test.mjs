/**
 * Everything that must hold, the quick steps first, with one verdict at the end; run by `npm test`.
 *
 * With arguments it runs only vitest, with those arguments. The last line says what was counted: tests, and the steps
 * that failed, each as one.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { node24Environment, root, runOnNode24 } from './node24.mjs';

const STEPS = [
  ['lint', 'node', ['scripts/lint.mjs']],
  ['typecheck', 'tsc', ['--noEmit']],
  ['tidy', 'node', ['scripts/tidy.ts']],
];

const args = process.argv.slice(2);
const failedSteps = args.length > 0 ? [] : await runSteps();
const outside = outerDirectories(tmpdir());
const tests = runTests(args);
for (const [path, state] of outside) {
  if (stateOf(path) !== state) failedSteps.push(`the tests changed ${path} from ${state} to ${stateOf(path)}`);
}
const failed = failedSteps.length + tests.failed;
if (failedSteps.length > 0) console.log(`failed: ${failedSteps.join(', ')}`);
console.log(`${tests.passed} passed, ${failed} failed, ${tests.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

/** All at once, shown one after the other. @returns the names of those that failed */
async function runSteps() {
  const running = STEPS.map(([name, program, stepArgs]) => ({ name, ended: runStep(program, stepArgs) }));
  const failed = [];
  for (const { name, ended } of running) {
    const { isGood, output, seconds } = await ended;
    console.log(`\n== ${name}\n${output}== ${name}: ${isGood ? 'good' : 'failed'} after ${seconds.toFixed(1)} s`);
    if (!isGood) failed.push(name);
  }
  return failed;
}

function runStep(program, stepArgs) {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, stepArgs, { cwd: root, env: node24Environment(), stdio: ['inherit', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (output += bytes));
    child.on('error', (error) => reject(new Error(`${program} does not start: ${error.message}`)));
    child.on('close', (status) =>
      resolve({ isGood: status === 0, output, seconds: (performance.now() - startMs) / 1000 }),
    );
  });
}

/**
 * The directory that tests make theirs in, and what it lies in, each with owner and permissions: none of these is theirs,
 * nor that of anything they restore.
 */
function outerDirectories(path) {
  const above = path === dirname(path) ? new Map() : outerDirectories(dirname(path));
  return above.set(path, stateOf(path));
}

function stateOf(path) {
  const { uid, gid, mode } = statSync(path);
  return `${uid}:${gid} ${mode.toString(8)}`;
}

/** The counts come through a file: what a terminal shows is for people, and changes. */
function runTests(vitestArgs) {
  console.log('\n== tests');
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-counts-'));
  const countsFile = join(scratch, 'counts.json');
  try {
    const env = { ...node24Environment(), HOLDFAST_TEST_COUNTS: countsFile };
    const isGood = runOnNode24('vitest', ['run', ...vitestArgs], { env });
    return withFailure(readCounts(countsFile), isGood);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** No file means that vitest never came to its end. */
function readCounts(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`tests: no counts: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** A run can fail without a failed test: no test was found, or an error came from outside of every test. */
function withFailure(counts, isGood) {
  return isGood || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}
