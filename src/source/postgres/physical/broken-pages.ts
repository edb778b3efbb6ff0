import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { Problem } from '../../index.ts';
import type { Session } from '../session.ts';
import type { Lsn } from './lsn.ts';
import { judgePage, type PageFormat } from './page-verifier.ts';
import { relationSegment } from './relation-file.ts';

/** Pages of a file whose checksums were wrong as they came. */
export interface BrokenPages {
  /** In the data directory. */
  path: string;
  /** Numbers in the relation, of the first of them. */
  blocks: number[];
  count: number;
}

const NO_PRIVILEGE = '42501';

/**
 * What is wrong with pages that came with wrong checksums. They are read once more: one that the server was writing when
 * it was read may have come as half the old and half the new. Such a page is newer than the backup by now, and its log
 * brings it back, so that nothing is wrong with it.
 * @param session an ordinary connection
 */
export async function confirmBroken(
  session: Session,
  broken: readonly BrokenPages[],
  pages: PageFormat,
  start: Lsn,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { path, blocks, count } of broken) {
    const standing: number[] = [];
    let isReread = true;
    for (const block of blocks) {
      const verdict = await rereadPage(session, path, block, pages, start);
      if (verdict !== 'newer') standing.push(block);
      if (verdict === undefined) isReread = false;
    }
    const left = count - blocks.length + standing.length;
    if (left > 0) problems.push(problemOf({ path, blocks: standing, count: left }, isReread, session.location.user));
  }
  return problems;
}

/** Undefined where the page cannot be read: the role may not, or the file is gone. */
async function rereadPage(
  session: Session,
  path: string,
  block: number,
  { pageBytes, pagesPerSegment }: PageFormat,
  start: Lsn,
): Promise<ReturnType<typeof judgePage> | undefined> {
  const offset = (block - (relationSegment(path) ?? 0) * pagesPerSegment) * pageBytes;
  const sql = "SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file($1, $2, $3, true), 'hex') AS page";
  try {
    const { page } = await session.one('read a page again', sql, [path, offset, pageBytes]);
    if (page == null || page.length !== pageBytes * 2) return undefined;
    const words = new Int32Array(pageBytes / 4);
    const bytes = Buffer.from(words.buffer);
    bytes.write(page, 'hex');
    return judgePage(bytes, words, block, start);
  } catch (error) {
    if (isHoldfastError(error) && error.context['sqlState'] === NO_PRIVILEGE) return undefined;
    throw error;
  }
}

function problemOf({ path, blocks, count }: BrokenPages, isReread: boolean, role: string): Problem {
  const more = count > blocks.length ? ` and ${count - blocks.length} more` : '';
  const list = `${count === 1 ? 'block' : 'blocks'} ${blocks.join(', ')}${more}`;
  const find = `See what it belongs to with: SELECT oid::regclass FROM pg_class WHERE pg_relation_filepath(oid) = '${mainFile(path)}';`;
  const again = `A page that was being written may look like this: let it be read again with GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO "${role}";`;
  const error = new HoldfastError('source-damaged', `${path}: the checksum of ${list} is wrong`, {
    hint: isReread
      ? `It was stored as it is. ${find} Look after the disk, and restore the table from an older backup.`
      : `It was stored as it is. ${find} ${again}`,
    context: { path, blocks: blocks.join(', '), count },
  });
  return { item: path, error };
}

/** Without fork and segment, as the server names it. */
function mainFile(path: string): string {
  return path.replace(/(_[a-z]+)?(\.\d+)?$/, '');
}
