import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { vi } from 'vitest';
import { runCommandLine } from '../../src/cli/index.ts';
import { settled } from '../../src/foundation/promises.ts';
import { adapters } from '../../src/main/adapters.ts';
import { serve } from '../../src/main/serve.ts';

/** What a command line that ended in this process has printed. */
export interface RanHere {
  exit: number;
  stdout: string;
  stderr: string;
}

// A backup goes behind all others, and so would the tests behind it, and the threads that they share.
os.setPriority = () => {};
syncBuiltinESMExports();

let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs a command in this process, which spares its start, with the directory and the environment that a process of its own
 * would have. One after the other: what they print and where they are is the process's.
 */
export function runInThisProcess(
  directory: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RanHere> {
  const ran = settled(turn).then(() => run(directory, words, env));
  turn = ran;
  return ran;
}

async function run(
  directory: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RanHere> {
  const [home, outer] = [process.cwd(), process.env];
  const [stdout, stderr] = [hold(process.stdout), hold(process.stderr)];
  process.chdir(directory);
  process.env = { ...env };
  try {
    const exit = await runCommandLine({ adapters, version: '0.0.0', serve, arguments: words });
    return { exit, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.env = outer;
    process.chdir(home);
    stdout.release();
    stderr.release();
  }
}

function hold(stream: NodeJS.WriteStream): { text: () => string; release: () => void } {
  const printed: string[] = [];
  const spy = vi.spyOn(stream, 'write').mockImplementation((text, ...rest: unknown[]) => {
    printed.push(String(text));
    const done = rest.at(-1);
    if (typeof done === 'function') done();
    return true;
  });
  return { text: () => printed.join(''), release: () => spy.mockRestore() };
}

/** The same for one document: its exit code, what was printed with `--json`, and all that was said. */
export async function runHere(plan: string, ...words: string[]) {
  const { exit, stdout, stderr } = await runInThisProcess(
    process.cwd(),
    ['--plan', plan, '--json', ...words],
    environmentHere(),
  );
  // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
  return { exit, json: JSON.parse(stdout) as any, said: stdout + stderr };
}

function environmentHere(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
