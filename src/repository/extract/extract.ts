import { existsSync, rmSync } from 'node:fs';
import { byteString } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { IndexedRepository } from '../indexed.ts';
import type { ReadPool } from '../read/pool.ts';
import type { Extracted, ExtractOptions, ExtractProblem, SnapshotReader } from '../snapshot-io.ts';
import { givesAccessLists } from './attributes.ts';
import { Clearing } from './clearing.ts';
import { fetchFiles } from './fetch.ts';
import { claimTarget, isMarked, MARKER_NAME, removeMarker } from './marker.ts';
import { applyMetadata, makeDirectory, makeHardLink, makeOther } from './metadata.ts';
import { type ExtractPlan, planExtract } from './plan.ts';
import { PlannedNames } from './planned-names.ts';
import { keepStandingFiles } from './standing.ts';
import { FAR_RANGES, NEAR_RANGES } from './wanted.ts';

/** A reader, and what it reads with. */
export interface ExtractSource extends Pick<SnapshotReader, 'entries'> {
  indexed: IndexedRepository;
  pool: ReadPool;
}

/**
 * Writes a tree into a directory that is empty, or is made, or holds a part of the same restore, or is to be replaced.
 *
 * Nothing outside of the target is touched, whatever the tree says: names are checked when a tree is read, directories and
 * files are made anew and never opened through a link, and links are made after everything else.
 * @throws target-not-empty, target-unsuitable, target-failed, disk-full, repository-damaged
 */
export async function extractTree(
  reader: ExtractSource,
  tree: string,
  target: string,
  options: ExtractOptions,
): Promise<Extracted> {
  const replaces = options.replace === true;
  const isNear = reader.indexed.repository.store.fileOf !== undefined;
  // While trees come from afar. Whoever wants a part may need no thread.
  if (!isNear && options.selection === undefined && !options.dryRun) reader.pool.start();
  const plan = await planExtract(reader, tree, Buffer.from(target), options);
  const isWhole = plan.lost.directories.length === 0;
  plan.named?.refuseUnused([isWhole ? 'the snapshot' : 'what is left of the snapshot'], NAMES_HINT);
  try {
    const mayMark = await mayMarkFor(reader, tree);
    const isGoneOnWith = options.clearsMarked === true && mayMark && isMarked(target);
    const clears = replaces || isGoneOnWith;
    const clearing = clearingOf(target, plan, options, { mayMark, clears });
    if (options.dryRun) {
      if (existsSync(target)) clearing.look();
      const problems = lostOf(plan);
      return {
        ...counts(plan),
        keptFiles: 0,
        removedEntries: 0,
        surplus: clearing.surplus,
        lost: problems.length,
        problems,
      };
    }
    if (replaces) {
      await makeDirectories(target, 0o700);
      clearing.look();
    }
    const goesOn = await claimTarget(target, { tree, selection: options.selection ?? {}, replaces }, mayMark);
    // Another restore of the same may have made it, and left it half-written.
    if (goesOn && !replaces) for (const path of options.leaveOut ?? []) clearing.remove(path);
    if (isGoneOnWith && !replaces) clearing.look();
    if (clears) clearing.makeWay();
    // What is made deeper is made in directories of our own, which give nothing.
    if (givesAccessLists(Buffer.from(target))) plan.files.setInheriting();
    const extracted = await fill(reader, plan, options, { goesOn, clears, clearing });
    if (mayMark && options.keepsMark !== true) removeMarker(target, tree);
    return extracted;
  } catch (error) {
    throw targetError(error, target);
  }
}

/** For so much, threads are started while files are made. */
const BYTES_WORTH_A_THREAD = 16 * 2 ** 20;

const NAMES_HINT =
  'List what is in it with `holdfast ls`; a pattern that begins with `/` is a whole path. What `--exclude` leaves out is not there either.';

/** Takes the mark of a restore away that has come to its end. @throws target-failed */
export function releaseTarget(target: string, tree: string): void {
  try {
    removeMarker(target, tree);
  } catch (error) {
    throw targetError(error, target);
  }
}

/** What the tree has of the mark's name is a part of it, and marks nothing. */
async function mayMarkFor(reader: ExtractSource, tree: string): Promise<boolean> {
  return (await reader.entries(tree)).every(({ name }) => name !== MARKER_NAME);
}

async function fill(
  reader: ExtractSource,
  plan: ExtractPlan,
  options: ExtractOptions,
  { goesOn, clears, clearing }: { goesOn: boolean; clears: boolean; clearing: Clearing },
): Promise<Extracted> {
  const { files, hardLinks } = plan;
  options.progress.phase('restoring', { bytes: plan.bytes, items: files.count });
  for (const { path } of plan.directories) makeDirectory(path);
  const keptFiles = goesOn ? await keepStandingFiles(files, plan.wanted, reader.pool, { ...options, hardLinks }) : 0;
  const isNear = reader.indexed.repository.store.fileOf !== undefined;
  // This thread fills files too.
  if (isNear && plan.bytes >= BYTES_WORTH_A_THREAD) reader.pool.start(reader.pool.threadCount - 1);
  const wanted = plan.wanted.finish(isNear ? NEAR_RANGES : FAR_RANGES);
  const lost = options.leavesOutLost === true ? plan.lost : undefined;
  const problems = await fetchFiles(reader.indexed, reader.pool, { files, wanted }, { ...options, lost });
  // Whoever stopped it with the last of the bytes gets no restore that says it is complete.
  options.signal.throwIfAborted();
  refuseNothing(plan);
  for (const { path, existing } of hardLinks) {
    if (!plan.lost.hasFile(existing)) makeHardLink(files.path(existing), path);
    else if (!files.isLeftAlone(existing)) rmSync(path, { force: true });
  }
  const others = plan.others.map((entry) => ({ entry, problem: makeOther(entry) }));
  const made = others.filter(({ problem }) => problem === undefined).map(({ entry }) => entry);
  problems.push(...others.flatMap(({ problem }) => problem ?? []));
  if (clears) clearing.removeSurplus();
  problems.push(...clearing.problems);
  // Directories last, and the innermost first: what is made in one changes its times.
  problems.push(...[...made, ...plan.directories.toReversed()].flatMap(applyMetadata));
  const lostEntries = lostOf(plan);
  problems.push(...lostEntries);
  return {
    ...counts(plan),
    lost: lostEntries.length,
    others: made.length,
    keptFiles,
    ...(options.replace && { removedEntries: clearing.removed }),
    problems,
  };
}

/** A restore of which nothing comes back is a failure, and no part of a success. @throws repository-damaged, object-missing */
function refuseNothing(plan: ExtractPlan): void {
  const { firstReason } = plan.lost;
  const { bytes, others } = counts(plan);
  if (firstReason === undefined || bytes > 0 || others > 0) return;
  const { code, message, context } = firstReason;
  const [first, ...rest] = lostOf(plan);
  const who =
    rest.length === 0 ? `${first!.path} needs` : `${first!.path} and ${rest.length.toLocaleString('en')} more need`;
  const what = `nothing of it can be restored: ${message}; ${who} it`;
  throw new HoldfastError(code, what, { context: { ...context, path: first!.path }, cause: firstReason });
}

/** What is there afterwards of what was planned. */
function counts(plan: ExtractPlan): Omit<Extracted, 'keptFiles' | 'problems' | 'lost'> {
  const { files, hardLinks, directories, others, lost } = plan;
  let { bytes } = plan;
  // Those that were lost to the plan are none of its bytes.
  for (const file of lost.files) if (!files.isLeftAlone(file)) bytes -= files.sizeBytes(file);
  const lostNames = hardLinks.filter(({ existing }) => lost.hasFile(existing)).length;
  return {
    files: files.count + hardLinks.length - lost.fileCount - lostNames,
    directories: directories.length,
    others: others.length,
    bytes,
  };
}

function lostOf({ lost, files, hardLinks }: ExtractPlan): ExtractProblem[] {
  return lost.problems((file) => files.path(file), hardLinks);
}

function clearingOf(
  target: string,
  plan: ExtractPlan,
  { selection = {}, signal }: ExtractOptions,
  { mayMark, clears }: { mayMark: boolean; clears: boolean },
): Clearing {
  // What is in the way of a restore that removes nothing else is looked for by its path.
  const planned = clears ? new PlannedNames(plan, Buffer.from(target)) : undefined;
  return new Clearing(target, {
    planned,
    selection: clears ? selection : {},
    marker: mayMark ? MARKER_NAME : undefined,
    // Nobody knows what is to be in them.
    leftAlone: plan.lost.directories.map((path) => byteString(path.subarray(Buffer.byteLength(target)))),
    signal,
  });
}

function targetError(error: unknown, target: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('disk-full', `cannot restore to ${target}: no space is left`, {
      hint: 'The target is incomplete. Free some space and run the same command again, or name a target on another disk.',
      cause: error,
    });
  }
  return new HoldfastError('target-failed', `cannot restore to ${target}: ${messageOf(error)}`, {
    cause: error,
    context: { target },
  });
}
