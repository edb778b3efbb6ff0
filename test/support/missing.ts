/** How a test process tells the reporter's process what it lacked: lines of JSON in a file of the run. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Set by global-setup.ts to the run's own directory. */
const RUN_DIRECTORY = 'HOLDFAST_TEST_DIRECTORY';

export function recordMissing(testFile: string, reason: string): void {
  const file = recordFile();
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ testFile, reason })}\n`);
}

/** The reasons of this run so far, by test file. */
export function missingByFile(): Map<string, string[]> {
  const file = recordFile();
  const reasons = new Map<string, string[]>();
  if (file === undefined || !existsSync(file)) return reasons;
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const { testFile, reason } = JSON.parse(line) as { testFile: string; reason: string };
    const known = reasons.get(testFile) ?? [];
    if (!known.includes(reason)) reasons.set(testFile, [...known, reason]);
  }
  return reasons;
}

function recordFile(): string | undefined {
  const directory = process.env[RUN_DIRECTORY];
  return directory === undefined ? undefined : join(directory, 'missing.jsonl');
}
