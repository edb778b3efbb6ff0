import { HoldfastError } from '../../foundation/errors.ts';
import { type ArchiveOutcome, copyToArchive } from '../archives/archive.ts';
import { type MirrorOutcome, replicate } from '../mirrors/replicate.ts';
import type { Workspace } from '../workspace.ts';

export interface Replicated {
  mirrors: MirrorOutcome[];
  archives: ArchiveOutcome[];
}

/**
 * Brings mirrors up to date, and then copies to archives what is due: those of these names or of the repositories of these
 * names, or all. To an archive that is named itself is copied in any case.
 * @throws unknown-repository; bad-usage when what is named is no copy and has none
 */
export async function replicateAll(workspace: Workspace, names: readonly string[]): Promise<Replicated> {
  const { plan } = workspace;
  const archives = new Map<string, { isForced: boolean }>();
  const mirrored: string[] = [];
  for (const name of names.map((each) => workspace.repositoryName(each))) {
    const own = archivesOf(workspace, name);
    for (const archive of own) archives.set(archive, archives.get(archive) ?? { isForced: false });
    if (plan.repositories.get(name)?.archive !== undefined) archives.set(name, { isForced: true });
    else if (plan.mirrors.has(name) || workspace.mirrorsOf(name).length > 0) mirrored.push(name);
    else if (own.length === 0) throw noCopy(`the plan names no mirror or archive of ${name}`);
  }
  if (names.length === 0) {
    for (const [name, { archive }] of plan.repositories) if (archive) archives.set(name, { isForced: false });
    mirrored.push(...plan.mirrors.keys());
    if (archives.size + mirrored.length === 0) throw noCopy('the plan names no mirror and no archive');
  }
  const replicated: Replicated = { archives: [], mirrors: [] };
  if (mirrored.length > 0) replicated.mirrors = await replicate(workspace, mirrored);
  for (const [name, { isForced }] of archives) {
    replicated.archives.push(await copyToArchive(workspace, name, isForced));
  }
  return replicated;
}

function archivesOf({ plan }: Workspace, repository: string): string[] {
  return [...plan.repositories.values()].flatMap(({ name, archive }) => (archive?.from === repository ? [name] : []));
}

function noCopy(message: string): HoldfastError {
  return new HoldfastError('bad-usage', message, {
    hint: 'Give a repository of the plan the key `mirrorOf` with the name of the one that it is to be a copy of, or `copies` with what is to be archived there.',
  });
}
