import { asId, asRecord } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { idOfKey, MARKS_PREFIX } from '../layout.ts';
import type { Repository } from '../repository.ts';

/**
 * A list of packs that a prune is going to remove. The index still has them, so that nothing changes for stock restic and
 * for whoever is at work already. Who takes a lock says in it which marks it has read, and keeps off what they name: it
 * stores such a blob again, and reads one from there only where it is nowhere else. The packs go once everybody knows.
 */
export interface Mark {
  id: string;
  packs: readonly string[];
}

const VERSION = 1;

/** Makes a mark known to whoever takes a lock from here on. Resolves to its id. */
export function writeMark(repository: Repository, packs: readonly string[]): Promise<string> {
  return repository.putDocument(MARKS_PREFIX, { version: VERSION, packs });
}

/** The marks that stand and can be read. Nobody sweeps by one that cannot. */
export async function readMarks(repository: Repository): Promise<Mark[]> {
  const keys = await repository.documentKeys(MARKS_PREFIX);
  const marks = await Promise.all(keys.map((key) => readMark(repository, idOfKey(key)!)));
  return marks.filter((mark) => typeof mark === 'object');
}

/** A mark; `gone` when it was swept, `unreadable` when it is damaged or a newer version's. */
export async function readMark(repository: Repository, id: string): Promise<Mark | 'gone' | 'unreadable'> {
  try {
    const { version, packs } = asRecord(await repository.getDocument(`${MARKS_PREFIX}${id}`), 'a mark');
    if (version !== VERSION || !Array.isArray(packs)) return 'unreadable';
    return { id, packs: packs.map((pack) => asId(pack, "a marked pack's id")) };
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return 'gone';
    if (isHoldfastError(error, 'repository-damaged') || isHoldfastError(error, 'repository-unsupported')) {
      return 'unreadable';
    }
    throw error;
  }
}

export function removeMark(repository: Repository, id: string): Promise<void> {
  return repository.store.delete(`${MARKS_PREFIX}${id}`);
}

/** The packs that any of these marks names. */
export function packsOf(marks: readonly Mark[]): Set<string> {
  return new Set(marks.flatMap(({ packs }) => packs));
}
