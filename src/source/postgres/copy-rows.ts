import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { copyOut } from './copy-out.ts';
import type { TableRows } from './loadable.ts';
import type { Session } from './session.ts';

/** As much is held of what one server sent and another has not taken yet. */
const HELD_BYTES = 1024 * 1024;

/**
 * The rows that a `COPY … TO STDOUT` gives, as they are asked for: whoever is slower is waited for.
 * @param lend gives a session that nobody else uses meanwhile
 * @param giveBack is given it when all rows were read; one that was left in the midst of them is closed
 */
export function copiedRows(
  { lend, giveBack }: { lend: () => Promise<Session>; giveBack: (session: Session) => void },
  doing: string,
  sql: string,
): TableRows {
  let rows = Number.NaN;
  async function* read(): AsyncGenerator<Uint8Array> {
    const session = await lend();
    const held = new PassThrough({ highWaterMark: HELD_BYTES });
    let isWhole = false;
    try {
      const copying = awaitedLater(copyInto(held, session, doing, sql));
      yield* held as AsyncIterable<Uint8Array>;
      rows = await copying;
      isWhole = true;
    } finally {
      if (isWhole) giveBack(session);
      else session.destroy();
    }
  }
  return { bytes: read(), count: () => rows };
}

async function copyInto(held: PassThrough, session: Session, doing: string, sql: string): Promise<number> {
  try {
    const rows = await copyOut(session, doing, sql, async (bytes) => {
      if (held.destroyed) throw notWanted();
      // What was given is not ours for longer than this.
      if (!held.write(Buffer.from(bytes))) await Promise.race([once(held, 'drain'), once(held, 'close')]);
    });
    held.end();
    return rows;
  } catch (error) {
    held.destroy(error as Error);
    throw error;
  }
}

function notWanted(): HoldfastError {
  return new HoldfastError('target-failed', 'the rows are not wanted any more');
}
