import { decodeTree } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { IndexedRepository } from '../indexed.ts';
import { DATA_PREFIX, packKey } from '../layout.ts';
import { indexOf, readIndexFiles } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { listPacks } from './check.ts';
import { judgePacks, listingsOf, readPacks } from './check-packs.ts';
import { DamagedTrees } from './damaged-trees.ts';
import { Lost } from './lost.ts';
import { newReport } from './report.ts';
import { type PackSize, selectPacks } from './subset.ts';

/** What came of reading all that one tree needs. */
export interface CheckedPoint {
  tree: string;
  packs: number;
  /** Of those packs, whole. */
  bytes: number;
  /** What is wrong with it, for people; empty only where every byte was read and is as it was written. */
  problems: string[];
}

export interface CheckedPoints {
  points: CheckedPoint[];
  /** What was read beside the trees' own packs, in turn: the pack that it ended with, and what was wrong there. */
  turn: { packs: number; readUntil?: string; problems: string[] };
}

export interface PointsOptions {
  signal: AbortSignal;
  progress: Progress;
  /** So much of all packs' bytes is read as well, from behind the pack with this id on: after so many runs, all of them. */
  turn: { fraction: number; after: string | undefined };
}

/**
 * Reads and authenticates every byte of the packs that trees need, each pack once, and everything in them; and of all other
 * packs a share in turn, so that over time every snapshot's data is read, however old. Damage is told, and no exception.
 * @param trees each once
 * @throws repository-damaged where an index file cannot be read
 */
export async function checkPoints(
  repository: Repository,
  trees: readonly string[],
  { signal, progress, turn }: PointsOptions,
): Promise<CheckedPoints> {
  const files = await readIndexFiles(repository);
  const indexed = indexOf(repository, files);
  progress.phase('reading trees');
  const needed = new Map<string, Set<string>>();
  for (const tree of trees) needed.set(tree, await packsBelow(indexed, tree, signal));
  const own = new Set([...needed.values()].flatMap((packs) => [...packs]));
  const sizes = await listPacks(repository);
  const all = [...sizes].map(([id, sizeBytes]): PackSize => ({ id, sizeBytes }));
  const inTurn = selectPacks(all, { kind: 'share', fraction: turn.fraction }, turn.after);
  const wanted = new Set([...own, ...inTurn.map(({ id }) => id)]);
  const packs = [...wanted].map((id): PackSize => ({ id, sizeBytes: sizes.get(id) ?? 0 }));
  const [report, lost] = [newReport(), new Lost(indexed)];
  const read = await readPacks(repository, packs, { signal, progress });
  judgePacks({ repository, listings: listingsOf(files), report, lost, signal, progress }, read);
  const whole = new Map(read.flatMap((each) => ('error' in each ? [] : [[each.pack, each.bytes] as const])));
  const problemsIn = (ids: readonly string[]): string[] => {
    const keys = new Set([DATA_PREFIX, ...ids.map(packKey)]);
    return report.findings
      .filter(({ severity, where }) => severity === 'error' && keys.has(where))
      .map(({ where, message }) => `${where}: ${message}`);
  };
  const damaged = new DamagedTrees(indexed, lost, signal);
  const points: CheckedPoint[] = [];
  for (const [tree, ids] of needed) {
    await damaged.look(tree);
    const below = [...damaged.damagesBelow(tree)].map(({ path, message }) => `${path || '/'}: ${message}`);
    const bytes = [...ids].reduce((sum, id) => sum + (whole.get(id) ?? 0), 0);
    points.push({ tree, packs: ids.size, bytes, problems: [...problemsIn([...ids]), ...below] });
  }
  const last = inTurn.at(-1)?.id;
  const others = inTurn.map(({ id }) => id).filter((id) => !own.has(id));
  return {
    points,
    turn: { packs: inTurn.length, ...(last !== undefined && { readUntil: last }), problems: problemsIn(others) },
  };
}

/** The packs that a tree and all below it lie in. What cannot be found or read is left out: who looks at the trees says so. */
async function packsBelow(indexed: IndexedRepository, root: string, signal: AbortSignal): Promise<Set<string>> {
  const packs = new Set<string>();
  const seen = new Set([root]);
  // A list of what is to be done, and no recursion: a tree may be deeper than any stack.
  const waiting = [root];
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    signal.throwIfAborted();
    try {
      packs.add(indexed.locate(tree, 'tree').pack);
      for (const { content, subtree } of decodeTree(await indexed.readBlob(tree, 'tree'))) {
        for (const id of content ?? []) {
          const found = indexed.table.find(Buffer.from(id, 'hex'), 'data');
          if (found !== undefined) packs.add(indexed.packIds[found.packNumber]!);
        }
        if (subtree === undefined || seen.has(subtree)) continue;
        seen.add(subtree);
        waiting.push(subtree);
      }
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged') && !isHoldfastError(error, 'object-missing')) throw error;
    }
  }
  return packs;
}
