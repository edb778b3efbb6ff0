import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { lastLines, runProgram } from '../../foundation/process.ts';
import { redactor } from '../../foundation/redaction.ts';
import type { Channel } from '../channel.ts';
import { notificationOf } from '../notification.ts';

const TIMEOUT_MS = 30_000;
const QUOTED_LINES = 4;
/** What is kept of what it prints: its last lines tell why it failed. */
const CAPTURE_LIMIT_BYTES = 16 * 1024;

export interface CommandOptions {
  /** The name of the channel. */
  name: string;
  /** The program and its words. No shell reads them. */
  command: readonly string[];
  /** Words that appear in no error. */
  secrets: readonly string[];
  /** Where it runs: a relative program is looked for from here. */
  directory: string;
  /** What it is looked for in, and all of its environment. */
  path: string;
  clock: Clock;
  /** 30 s by default. */
  timeoutMs?: number;
}

/** A program that gets each notification as JSON on its standard input, and has taken it when it exits with 0. */
export function createCommandChannel(options: CommandOptions): Channel {
  const { name, command, secrets, directory, path, clock, timeoutMs = TIMEOUT_MS } = options;
  const [program = '', ...words] = command;
  const redact = redactor(secrets);
  return {
    takes: () => true,
    async send(message, signal) {
      const input = JSON.stringify(notificationOf(message, clock.nowMs()));
      const environment = { PATH: path };
      const limits = { timeoutMs, signal, captureLimitBytes: CAPTURE_LIMIT_BYTES };
      try {
        await runProgram(program, words, { environment, workingDirectory: directory, input, ...limits });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        const said = lastLines(String(error.context['said'] ?? ''), QUOTED_LINES);
        throw new HoldfastError('channel-failed', `channel ${name}: ${redact(error.message)}`, {
          hint: 'Run the program by hand, with a notification on its standard input, to see why.',
          // Nobody knows why a program fails; one that is not there will not be there in a minute.
          retryable: !isHoldfastError(error, 'program-missing'),
          context: { channel: name, said: redact(said) },
        });
      }
    },
  };
}
