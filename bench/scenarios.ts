/** What is measured. Each scenario prepares, untimed, what one tool then does, timed. */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { edit, touch, writeMixed, writeSmallFiles } from './data.ts';
import { forgetAllButLast, type Place, remove, run, type Tool } from './tools.ts';

export interface Scenario {
  name: string;
  /** A row of the results. */
  title: string;
  /** How many times as fast as restic it must be at least, and should be. */
  atLeast: number;
  aim: number;
  /** The data it works on. */
  data: 'mixed' | 'tree' | 'index' | 'small';
  /** Before anything of a data set is measured, once for every tool. */
  prepare?(tool: Tool, place: Place): void;
  /** Before a round, once for all tools. */
  round?(place: Place, round: number): void;
  /** Before a tool's turn, untimed. @returns the command that is timed */
  turn(tool: Tool, place: Place, round: number): string[];
}

function freshRepository(tool: Tool, place: Place): void {
  remove(place, tool.repository);
  run(tool.init(), place);
}

function backedUp(tool: Tool, place: Place): void {
  if (existsSync(join(place.directory, tool.repository))) return;
  run(tool.init(), place);
  run(tool.backup(), place);
}

/** Edits at places where there were none: data of an earlier run has had as many as are noted beside it. */
function editAnew({ directory, data }: Place): void {
  const noted = join(directory, 'edits');
  const edits = existsSync(noted) ? Number(readFileSync(noted, 'utf8')) : 0;
  edit(data, edits);
  writeFileSync(noted, `${edits + 1}\n`);
}

const ROUNDS_BEFORE_PRUNE = 4;

/** A repository of restic's making with several backups, all but the last of them forgotten: every tool prunes a copy of it. */
function forgotten(tool: Tool, place: Place): void {
  const template = join(place.directory, 'forgotten');
  if (tool.name !== 'restic' || existsSync(template)) return;
  remove(place, tool.repository);
  run(tool.init(), place);
  for (let round = 0; round < ROUNDS_BEFORE_PRUNE; round++) {
    editAnew(place);
    run(tool.backup(), place);
  }
  forgetAllButLast(place);
  cpSync(join(place.directory, tool.repository), template, { recursive: true });
}

/** Below a place; to be removed long before anything is measured. */
export const RESTORED = 'restored';

/**
 * Frees the space of what was restored before, and leaves the files. ext4 does not give a file the place of one that was
 * removed within the last minutes, and looks at each of those again for every file that is made: after 30,000 were removed,
 * that takes longer than restoring them, and as long for every tool. (`recently_deleted` in Linux's fs/ext4/ialloc.c)
 */
export function emptyFiles(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) truncateSync(join(entry.parentPath, entry.name));
  }
}

const INDEX_BLOBS = 5_000_000;
const LARGE_INDEX = fileURLToPath(new URL('./large-index.ts', import.meta.url));

/** A repository of one small snapshot, whose index lists millions of blobs more: the others get copies of Holdfast's. */
function largeIndex(tool: Tool, place: Place): void {
  const repository = join(place.directory, tool.repository);
  if (existsSync(repository)) return;
  if (tool.name === 'holdfast') {
    backedUp(tool, place);
    run([process.execPath, LARGE_INDEX, repository, String(INDEX_BLOBS)], place);
  } else {
    cpSync(join(place.directory, 'holdfast'), repository, { recursive: true });
  }
}

export const SCENARIOS: Scenario[] = [
  {
    name: 'first-backup',
    title: 'first backup',
    atLeast: 2,
    aim: 3,
    data: 'mixed',
    turn(tool, place) {
      freshRepository(tool, place);
      return tool.backup();
    },
  },
  {
    name: 'read-again',
    title: 'unchanged data, all read again',
    atLeast: 2.3,
    aim: 4,
    data: 'mixed',
    prepare: backedUp,
    turn: (tool) => tool.backupReadAll(),
  },
  {
    name: 'read-large',
    title: 'unchanged data, all but its small files read again',
    atLeast: 1,
    aim: 2,
    data: 'mixed',
    prepare: backedUp,
    round: ({ data }, round) => touch(data, round),
    turn: (tool) => tool.backup(),
  },
  {
    name: 'unchanged',
    title: 'unchanged data, not read',
    atLeast: 1,
    aim: 2,
    data: 'mixed',
    prepare: backedUp,
    turn: (tool) => tool.backup(),
  },
  {
    name: 'one-percent',
    title: '1 % changed',
    atLeast: 1,
    aim: 2,
    data: 'mixed',
    prepare: backedUp,
    round: editAnew,
    turn: (tool) => tool.backup(),
  },
  {
    name: 'restore',
    title: 'restore',
    atLeast: 1.6,
    aim: 3,
    data: 'mixed',
    prepare: backedUp,
    turn(tool, place, round) {
      emptyFiles(join(place.directory, RESTORED));
      return tool.restore(join(place.directory, RESTORED, `${round} ${tool.name}`));
    },
  },
  {
    name: 'check',
    title: '`check --read-data`',
    atLeast: 1.5,
    aim: 2.5,
    data: 'mixed',
    prepare: backedUp,
    turn: (tool) => tool.checkAllData(),
  },
  {
    name: 'prune',
    title: 'prune',
    atLeast: 1,
    aim: 2,
    data: 'mixed',
    prepare: forgotten,
    turn(tool, place) {
      remove(place, tool.repository);
      cpSync(join(place.directory, 'forgotten'), join(place.directory, tool.repository), { recursive: true });
      return tool.prune();
    },
  },
  {
    name: 'tree',
    title: 'unchanged tree of 100,000 small files, not read',
    atLeast: 1,
    aim: 2,
    data: 'tree',
    prepare: backedUp,
    turn: (tool) => tool.backup(),
  },
  {
    name: 'index',
    title: 'a listing that loads an index of five million blobs',
    atLeast: 1,
    aim: 2,
    data: 'index',
    prepare: largeIndex,
    turn: (tool) => tool.list(),
  },
  {
    name: 'snapshots',
    title: '`snapshots` of a small repository',
    atLeast: 1,
    aim: 2,
    data: 'small',
    prepare: backedUp,
    turn: (tool) => tool.snapshots(),
  },
];

/** Writes a data set unless an earlier run has. */
export function makeData(place: Place, kind: Scenario['data'], size: { mebibytes: number; files: number }): void {
  if (existsSync(place.data)) return;
  mkdirSync(place.data, { recursive: true });
  if (kind === 'mixed') writeMixed(place.data, size.mebibytes);
  else writeSmallFiles(place.data, kind === 'tree' ? size.files : 8, 8);
  // What is still being written would be paid for by whoever comes first.
  spawnSync('sync');
}
