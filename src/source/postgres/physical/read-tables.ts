import { isHoldfastError } from '../../../foundation/errors.ts';
import type { Check, ValidateContext } from '../../index.ts';
import { copyOut } from '../copy-out.ts';
import type { Location } from '../location.ts';
import { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';

export interface TablesRead {
  check: Check;
  /** Of each table that is not the system's; undefined where one could not be read. */
  rowsOf: Map<string, number> | undefined;
}

/**
 * Reads all rows of all tables of a database, so that every page of them is looked at, and what is kept outside of them.
 * In the encoding that means none: bytes that are wrong in the database's own are not what is looked for here.
 */
export async function readTables(location: Location, { signal, progress }: ValidateContext): Promise<TablesRead> {
  const name = `tables of ${location.database}`;
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const tables = await session.query('list the tables', sqlFile('stored-tables'));
    const rowsOf = new Map<string, number>();
    let all = 0;
    for (const { qualified, is_system } of tables) {
      const sql = `COPY (SELECT * FROM ONLY ${qualified}) TO STDOUT (ENCODING 'SQL_ASCII')`;
      const rows = await copyOut(session, `read table ${qualified}`, sql, async (bytes) =>
        progress.advance({ bytes: bytes.length }),
      );
      all += rows;
      if (is_system !== 'true') rowsOf.set(qualified ?? '', rows);
    }
    return {
      check: { name, result: 'passed', detail: `all ${all} rows of ${tables.length} tables can be read` },
      rowsOf,
    };
  } catch (error) {
    signal.throwIfAborted();
    // A server that died has its say when the sandbox is closed.
    if (!isHoldfastError(error) || error.context['sqlState'] === undefined) throw error;
    return { check: { name, result: 'failed', detail: error.message }, rowsOf: undefined };
  } finally {
    await session.close();
  }
}
