import { isHoldfastError } from '../../foundation/errors.ts';
import { selectEntries } from './archive/select-entries.ts';
import { type ArchiveToc, textOf } from './archive/toc.ts';

/** What of a database is compared. */
export interface ComparedPart {
  toc: ArchiveToc;
  /** Whether the rows of a table belong to it: those of one that is only needed do not. */
  hasRowsOf(table: { schema: string; name: string }): boolean;
}

/**
 * The schemas and tables that patterns name, with all that a restore of them brings: see `selectEntries`.
 * @throws path-missing when one of them names nothing
 */
export function comparedPart(toc: ArchiveToc, only: readonly string[]): ComparedPart {
  const selected = selectEntries(toc, only);
  const needed = new Set(selected.withoutRows);
  const tables = new Set(
    selected.toc.entries
      .filter(({ description }) => textOf(description) === 'TABLE')
      .map(({ namespace, tag }) => `${textOf(namespace)}.${textOf(tag)}`)
      .filter((name) => !needed.has(name)),
  );
  return { toc: selected.toc, hasRowsOf: ({ schema, name }) => tables.has(`${schema}.${name}`) };
}

/** The same of a database that may lack what a pattern names: that is a difference, and no mistake of who asks. */
export function presentPart(toc: ArchiveToc, only: readonly string[]): ComparedPart {
  return comparedPart(
    toc,
    only.filter((pattern) => isPresent(toc, pattern)),
  );
}

function isPresent(toc: ArchiveToc, pattern: string): boolean {
  try {
    selectEntries(toc, [pattern]);
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'path-missing')) return false;
    throw error;
  }
}
