import { HoldfastError } from '../foundation/errors.ts';
import { runProgram } from '../foundation/process.ts';
import type { Check } from './source.ts';

const CHECK_TIMEOUT_MS = 10 * 60_000;

/** Where what was restored is, as a program is told. */
export interface CheckedPlace {
  /** What stands for `${NAME}` in its words. */
  words: Readonly<Record<string, string>>;
  /** What it finds in its environment, beside PATH. */
  environment: NodeJS.ProcessEnv;
  /** The last lines that a program says when it fails are a part of the result. Not where these may be secret. */
  quotes?: boolean;
}

/** A place that is a path, as programs are told of it. */
export function checkedPath(path: string): CheckedPlace {
  return { words: { 'sandbox.path': path, 'target.path': path }, environment: { HOLDFAST_RESTORED: path } };
}

/**
 * Runs a program of the plan's `validate` on what was restored. One that fails is a failed check.
 * @throws the reason of the signal
 */
export async function runCommandCheck(
  { name, exec }: { name: string; exec: readonly string[] },
  { words, environment: told, quotes = false }: CheckedPlace,
  signal: AbortSignal,
): Promise<Check> {
  const filled = (word: string): string =>
    Object.entries(words).reduce((text, [each, value]) => text.replaceAll(`\${${each}}`, () => value), word);
  const [program = '', ...rest] = exec.map(filled);
  const check = `validate: ${name}`;
  try {
    const environment = { PATH: process.env['PATH'] ?? '', ...told };
    await runProgram(program, rest, { environment, timeoutMs: CHECK_TIMEOUT_MS, signal });
    return { name: check, result: 'passed', detail: 'exited 0' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    const said = quotes ? error.context['said'] : undefined;
    const detail = typeof said === 'string' && said !== '' ? `${error.message}: ${said}` : error.message;
    return { name: check, result: 'failed', detail };
  }
}
