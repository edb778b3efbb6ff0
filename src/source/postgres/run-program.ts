import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { lastLines, runProgram } from '../../foundation/process.ts';
import type { Side } from './failures.ts';
import { type Location, labelOf, programEnvironment } from './location.ts';

const CONNECTION_LOST =
  /server closed the connection|terminating connection|connection to server .* failed|no connection to the server|could not (send|receive) data|SSL SYSCALL error|starting up|shutting down|in recovery mode/;
const LOCK_REFUSED = /due to lock timeout|could not obtain lock/;

/**
 * Runs one of PostgreSQL's own programs against a server.
 * @param harmless what pg_restore, which goes on after an error, may report and still have restored everything
 * @throws source-lost, timed-out (a lock), program-failed; target-failed for whatever fails at a target; program-missing;
 *   the reason of the signal
 */
export async function runPostgresProgram(
  path: string,
  programArguments: readonly string[],
  { location, side, signal, harmless }: { location: Location; side: Side; signal: AbortSignal; harmless?: RegExp },
): Promise<void> {
  try {
    const environment = programEnvironment(location);
    const acceptedStatuses = harmless === undefined ? [0] : [0, 1];
    const { status, errorOutput } = await runProgram(path, programArguments, { environment, signal, acceptedStatuses });
    if (status === 0 || (harmless !== undefined && onlyHarmless(errorOutput, harmless))) return;
    throw new HoldfastError('program-failed', 'pg_restore ended with exit status 1', {
      context: { said: lastLines(withoutHarmless(errorOutput, harmless)) },
    });
  } catch (error) {
    throw isHoldfastError(error, 'program-failed') ? programFailure(error, location, side) : error;
  }
}

/** A program's failure, said as what it means, with what the program gave as the reason. */
function programFailure(error: HoldfastError, location: Location, side: Side): HoldfastError {
  const said = String(error.context['said'] ?? '');
  const context = { ...error.context, database: labelOf(location) };
  if (CONNECTION_LOST.test(said)) {
    return new HoldfastError(
      side === 'source' ? 'source-lost' : 'target-failed',
      `lost the server of ${labelOf(location)}`,
      {
        ...{ hint: "See in the server's log why it ended the connection, and run this again.", retryable: true },
        ...{ context, cause: error },
      },
    );
  }
  const message = `${error.message}: ${reasonIn(said)}`;
  if (side === 'source' && LOCK_REFUSED.test(said)) {
    const hint = 'Somebody holds an exclusive lock on a table, or waits for one: try again when that has ended.';
    return new HoldfastError('timed-out', message, { hint, retryable: true, context, cause: error });
  }
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new HoldfastError(side === 'source' ? 'program-failed' : 'target-failed', message, {
    ...hint,
    context,
    cause: error,
  });
}

function withoutHarmless(said: string, harmless: RegExp | undefined): string {
  const lines = said.split('\n');
  return lines.filter((line) => harmless?.test(line) !== true).join('\n');
}

/** Whether pg_restore went to its end, and every error that it counted is a harmless one. */
function onlyHarmless(said: string, harmless: RegExp): boolean {
  const errors = said.split('\n').filter((line) => line.includes(': error: '));
  const ignored = Number(/errors ignored on restore: (\d+)/.exec(said)?.[1]);
  // Those of its parallel connections it reports and does not count.
  return ignored <= errors.length && errors.every((line) => harmless.test(line));
}

/** The first error that a program reported: those that follow are its consequences. */
function reasonIn(said: string): string {
  const lines = said.split('\n').filter((line) => line !== '');
  return (lines.find((line) => /\berror:/i.test(line)) ?? lines.at(-1) ?? 'it did not say why').replace(
    /^\w+: error: /,
    '',
  );
}
