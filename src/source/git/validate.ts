import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import {
  type Check,
  checkedPath,
  readManifest,
  runCommandCheck,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import type { Git } from './git-program.ts';
import { fsck, Mirror } from './mirror.ts';
import { refsDigest } from './refs.ts';

/** Looks at every object of a restored repository, and holds what it names against the manifest. */
export async function validateRepository(
  reader: SnapshotReader,
  directory: string,
  {
    git,
    checks: planned,
    progress,
    signal,
  }: { git: Git; checks: { name: string; exec: string[] }[] } & ValidateContext,
): Promise<Validation> {
  const { details } = await readManifest(reader);
  progress.phase('checking the repository');
  const checks = [await integrity(git, directory), ...(await contents(new Mirror(git, directory), details))];
  for (const check of planned) checks.push(await runCommandCheck(check, checkedPath(directory), signal));
  return { checks, notes: [] };
}

/** What is prepared to look at a restored repository. @throws not-provable without a git that serves */
export async function orNotProvable<T>(prepared: Promise<T>): Promise<T> {
  try {
    return await prepared;
  } catch (error) {
    if (!isHoldfastError(error, 'program-missing') && !isHoldfastError(error, 'program-too-old')) throw error;
    const hint = error.hint ?? 'Install git.';
    throw new HoldfastError('not-provable', error.message, { hint, cause: error });
  }
}

async function integrity(git: Git, directory: string): Promise<Check> {
  const { damage } = await fsck(git, directory);
  return {
    name: 'git fsck',
    result: damage.length === 0 ? 'passed' : 'failed',
    detail: damage.length === 0 ? 'every object is there and whole' : damage.join('; '),
  };
}

async function contents(mirror: Mirror, details: Record<string, unknown>): Promise<Check[]> {
  const state = await mirror.state();
  const { objects } = await mirror.counts();
  const areRefs = refsDigest(state) === details['refsDigest'];
  const areObjects = objects === details['objects'];
  return [
    {
      name: 'references',
      result: areRefs ? 'passed' : 'failed',
      detail: areRefs
        ? `HEAD and ${state.refs.size} references are those of the manifest`
        : `HEAD and ${state.refs.size} references are not those of the manifest, which has ${String(details['refs'])}`,
    },
    {
      name: 'objects',
      result: areObjects ? 'passed' : 'failed',
      detail: areObjects
        ? `${objects} objects`
        : `${objects} objects, and ${String(details['objects'])} in the manifest`,
    },
  ];
}
