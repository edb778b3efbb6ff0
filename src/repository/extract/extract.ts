import { mkdirSync, readdirSync } from 'node:fs';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { displayName } from '../../format/index.ts';
import type { Reader } from '../read/reader.ts';
import { fetchFiles } from './fetch.ts';
import { applyMetadata, type MetadataProblem, makeHardLink, makeOther } from './metadata.ts';
import { type ExtractPlan, type PlannedEntry, planExtract } from './plan.ts';

export interface ExtractOptions {
  progress: Progress;
  signal: AbortSignal;
  /** Which entries are wanted, by path in the snapshot (a byte string). All, when left out. */
  include?: (path: string) => boolean;
}

export interface Extracted {
  files: number;
  directories: number;
  others: number;
  bytes: number;
  /** Owners, permissions and times that could not be set. The contents are right. */
  problems: MetadataProblem[];
}

/**
 * Writes a tree into a directory that is empty, or is made.
 *
 * Nothing outside of the target is touched, whatever the tree says: names are checked when a tree is read, directories and
 * files are made anew and never opened through a link, and links are made after everything else.
 * @throws target-not-empty, target-failed, disk-full, repository-damaged
 */
export async function extractTree(reader: Reader, tree: string, target: string, options: ExtractOptions): Promise<Extracted> {
  const plan = await planExtract(reader, tree, Buffer.from(target), options.include ?? (() => true));
  prepareTarget(target);
  try {
    return await fill(reader, plan, options);
  } catch (error) {
    throw targetError(error, target);
  }
}

async function fill(reader: Reader, plan: ExtractPlan, options: ExtractOptions): Promise<Extracted> {
  options.progress.phase('restoring', { bytes: plan.bytes, items: plan.files.length });
  for (const { path } of plan.directories) mkdirSync(path, { mode: 0o700 });
  await fetchFiles(reader.indexed, reader.pool, plan.files, options);
  for (const entry of plan.others) makeOther(entry);
  for (const { path, existing } of plan.hardLinks) makeHardLink(plan.files[existing]!.path, path);
  const inOrder: PlannedEntry[] = [...plan.files, ...plan.others, ...plan.directories.toReversed()];
  return {
    files: plan.files.length + plan.hardLinks.length,
    directories: plan.directories.length,
    others: plan.others.length,
    bytes: plan.bytes,
    problems: inOrder.flatMap(applyMetadata),
  };
}

/** @throws target-not-empty, target-failed */
export function prepareTarget(target: string): void {
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (readdirSync(target).length === 0) return;
  } catch (error) {
    throw targetError(error, target);
  }
  throw new HoldfastError('target-not-empty', `the target ${displayName(target)} is not empty`, {
    hint: 'Name a directory that is empty or does not exist: a restore never overwrites what is there.',
    context: { target },
  });
}

function targetError(error: unknown, target: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('disk-full', `cannot restore to ${target}: no space is left`, {
      hint: 'The target is incomplete. Remove it, and free some space or name a target on another disk.',
      cause: error,
    });
  }
  return new HoldfastError('target-failed', `cannot restore to ${target}: ${messageOf(error)}`, { cause: error, context: { target } });
}
