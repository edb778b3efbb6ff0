import { displayName } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { IndexedRepository } from '../indexed.ts';
import { SNAPSHOTS_PREFIX } from '../layout.ts';
import { readSnapshot } from '../snapshots.ts';
import { DamagedTrees } from './damaged-trees.ts';
import type { Lost } from './lost.ts';
import { addError, type CheckReport } from './report.ts';

/** So many of the other snapshots that share a damage are named in its message; all of them stand in `snapshots`. */
const NAMED_SNAPSHOTS = 3;

/** Reads each of the snapshots with these keys, and every tree that one reaches, once. What is damaged is named with every snapshot that has it. */
export async function checkSnapshots(
  indexed: IndexedRepository,
  keys: readonly string[],
  { lost, report, signal, progress }: { lost: Lost; report: CheckReport; signal: AbortSignal; progress: Progress },
): Promise<void> {
  progress.phase('checking snapshots', { items: keys.length });
  const trees = new DamagedTrees(indexed, lost, signal);
  const damages = new Map<string, { path: string; message: string; snapshots: string[] }>();
  for (const key of keys) {
    try {
      const { id, tree } = await readSnapshot(indexed.repository, key);
      report.snapshots++;
      await trees.look(tree);
      for (const { path, message } of trees.damagesBelow(tree)) {
        const damage = damages.get(`${path}\0${message}`) ?? { path, message, snapshots: [] };
        damages.set(`${path}\0${message}`, damage);
        damage.snapshots.push(id);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!isHoldfastError(error)) throw error;
      // Forgotten since it was listed.
      if (error.code === 'object-missing' && !(await isListed(indexed, key))) continue;
      addError(report, key, error.message);
    }
    progress.advance({ items: 1 });
  }
  for (const damage of damages.values()) addDamage(report, damage);
}

async function isListed({ repository }: IndexedRepository, key: string): Promise<boolean> {
  return (await repository.documentKeys(SNAPSHOTS_PREFIX)).includes(key);
}

function addDamage(
  report: CheckReport,
  { path, message, snapshots }: { path: string; message: string; snapshots: string[] },
): void {
  const shown = displayName(path) || '/';
  const [first, ...others] = snapshots.map((id) => id.slice(0, 8));
  const named = others.slice(0, NAMED_SNAPSHOTS).join(', ');
  const more = others.length > NAMED_SNAPSHOTS ? ` and ${others.length - NAMED_SNAPSHOTS} more` : '';
  const also = others.length === 0 ? '' : `; the same in ${named}${more}`;
  addError(report, `snapshot ${first} ${shown}`, `${message}${also}`, { snapshots, path: shown });
}
