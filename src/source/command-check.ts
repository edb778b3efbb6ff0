import { HoldfastError } from '../foundation/errors.ts';
import { runProgram } from '../foundation/process.ts';
import type { Check } from './source.ts';

const CHECK_TIMEOUT_MS = 10 * 60_000;

/**
 * Runs a program of the plan's `validate` on what was restored to a directory, which it is told as `HOLDFAST_RESTORED` and
 * wherever `${sandbox.path}` or `${target.path}` stand. A program that fails is a failed check.
 * @throws the reason of the signal
 */
export async function runCommandCheck(
  { name, exec }: { name: string; exec: readonly string[] },
  directory: string,
  signal: AbortSignal,
): Promise<Check> {
  const words = exec.map((word) =>
    word.replaceAll('${sandbox.path}', directory).replaceAll('${target.path}', directory),
  );
  const [program = '', ...args] = words;
  try {
    const environment = { PATH: process.env['PATH'] ?? '', HOLDFAST_RESTORED: directory };
    await runProgram(program, args, { environment, timeoutMs: CHECK_TIMEOUT_MS, signal });
    return { name: `validate: ${name}`, result: 'passed', detail: 'exited 0' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return { name: `validate: ${name}`, result: 'failed', detail: error.message };
  }
}
