import { HoldfastError } from '../../../foundation/errors.ts';
import type { LogToReplay, RestoreContext } from '../../index.ts';
import type { Connection } from '../connection/connection.ts';
import { labelOf } from '../connection/location.ts';
import { encodeCommand } from '../connection/resp.ts';
import type { RedisDetails } from '../details.ts';
import { inspectServer, type ServerFacts } from '../server.ts';

/** Errors that a server answered its master with, or met in an append-only file: what failed there is not in its data. */
const ERRORS_FIELD = 'unexpected_error_replies';

/** The commands that lead from a backup to a recovery point, from the database on that the stream was in then. */
export async function* replayedStream(
  log: LogToReplay,
  { streamDatabase }: RedisDetails,
  { progress, signal }: Pick<RestoreContext, 'progress' | 'signal'>,
): AsyncGenerator<Uint8Array, void> {
  progress.phase('replaying the stream', { bytes: log.bytes });
  if (streamDatabase !== undefined) yield encodeCommand(['SELECT', streamDatabase]);
  for await (const bytes of log.read()) {
    signal.throwIfAborted();
    const { length } = bytes;
    yield bytes;
    progress.advance({ bytes: length });
  }
}

/**
 * @param before what the server said before the replay
 * @returns how many keys there are
 * @throws target-failed where the server could not do something that the stream says
 */
export async function countReplayed(connection: Connection, before: ServerFacts): Promise<number> {
  const after = await inspectServer(connection);
  const [failedBefore, failed] = [before, after].map(({ fields }) => Number(fields.get(ERRORS_FIELD) ?? 0));
  if (failed === failedBefore) return [...after.databases.values()].reduce((sum, each) => sum + each, 0);
  const where = labelOf(connection.location);
  throw new HoldfastError(
    'target-failed',
    `the server at ${where} could not do ${failed! - failedBefore!} of the commands of the stream`,
    {
      hint: "See in the server's log which: it may have fewer databases than the one that was captured, or lack a module. What is there is not what was asked for: `FLUSHALL` removes it.",
      context: { server: where },
    },
  );
}

export function notReplayable({ label }: { label: string }, reason: string): HoldfastError {
  return new HoldfastError('target-unsuitable', `the stream cannot be replayed on ${label}: ${reason}`, {
    hint: 'Restore to a directory, and start a server there; or, with `--snapshot`, a backup by itself.',
  });
}

export function notInPart(): HoldfastError {
  return new HoldfastError(
    'bad-usage',
    'some of the keys come from a backup by itself, not from a moment of the stream',
    {
      hint: 'Name the backup with `--snapshot`; or restore the moment to an empty server, and take the keys from there.',
    },
  );
}
