import { NamedPaths, pathMatcher } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { Selection } from '../../repository/index.ts';
import type { Comparison, RestoreContext, Restored } from '../index.ts';
import type { Entries } from './entries.ts';
import { SecretManager, type SecretProject, type SecretSettings, type Variables } from './secret-manager.ts';
import { filePaths, partNamesakes, type StoredSecret, storedSecrets } from './stored-cloud.ts';

const TARGET = /^secretmanager:\/\/([a-z0-9][a-z0-9.:-]*)(?:\/locations\/([a-z0-9-]+))?\/?$/;

/** The project that a target names. @throws target-unsuitable */
export function projectOf({ url }: Extract<Target, { kind: 'database' }>): SecretProject {
  const [, project, location] = TARGET.exec(url) ?? [];
  if (project !== undefined) return { project, ...(location !== undefined && { location }) };
  throw new HoldfastError('target-unsuitable', 'secrets can be in a directory or in Secret Manager only', {
    hint: 'Give the path of a directory, secretmanager://PROJECT or secretmanager://PROJECT/locations/REGION.',
  });
}

/**
 * Brings secrets back to Secret Manager. One that is not there is made, with its labels, annotations, replication and names
 * of versions; every value that none of its enabled versions has is added as a version, oldest first, so that in the end the
 * newest is what it was. What is there already is not added again, nor is anything removed: run again, it goes on.
 * @throws source-refused, source-unreachable; target-failed where none could be brought back; the reason of the signal
 */
export async function restoreToCloud(
  entries: Entries,
  project: SecretProject,
  {
    variables,
    selection,
    progress,
    signal,
  }: { variables: Variables } & Pick<RestoreContext, 'selection' | 'progress' | 'signal'>,
): Promise<Restored> {
  const restored: Restored = { bytes: 0, items: 0, notes: [], problems: [] };
  const { own: secrets, namesakes } = partNamesakes(selectedOf(storedSecrets(entries), selection));
  if (secrets.length === 0) throw nothingToRestore();
  const manager = new SecretManager(project, variables);
  progress.phase('adding versions', { items: secrets.length });
  try {
    for (const secret of secrets) {
      signal.throwIfAborted();
      try {
        await bringBack(manager, secret, restored);
      } catch (error) {
        if (!isHoldfastError(error) || error.code === 'source-unreachable') throw error;
        restored.problems.push({ path: secret.path, message: error.message });
        if (restored.problems.length === secrets.length) throw error;
      }
      progress.advance({ items: 1 });
    }
  } finally {
    await manager.close();
  }
  for (const { path } of namesakes) {
    const message = `a secret has its name too, and would get its value as the newest version: restore it by \`--only ${path}\` to another project`;
    restored.problems.push({ path, message });
  }
  const files = selection === undefined ? filePaths(entries).length : 0;
  if (files > 0)
    restored.notes.push(
      `${files} files were left out: Secret Manager takes secrets and variables. A directory takes them.`,
    );
  return restored;
}

async function bringBack(manager: SecretManager, secret: StoredSecret, restored: Restored): Promise<void> {
  const { settings, values, unread } = secret;
  const { name } = settings;
  const isNew = (await manager.get(name)) === undefined;
  if (isNew) await manager.create(settings);
  const present = isNew ? [] : await enabledValues(manager, name);
  const added: string[] = [];
  const numbers = new Map<string, string>();
  for (const [index, { version, data }] of values.entries()) {
    const isNewest = index === values.length - 1;
    const known = present.findLast((each) => each.data.equals(data));
    // The newest is what `latest` means: it must be the newest again, also where an older version has its value.
    const isThere = known !== undefined && (!isNewest || known === present.at(-1));
    const number = isThere ? known.version : await manager.add(name, data);
    numbers.set(version, number);
    if (isThere) continue;
    present.push({ version: number, data });
    added.push(number);
    restored.bytes += data.length;
    restored.items++;
  }
  if (isNew) await restoreAliases(manager, settings, { numbers, restored });
  const what =
    added.length === 0 ? 'has what the snapshot has already: nothing was added' : `version ${added.join(', ')} added`;
  restored.notes.push(`${name}: ${isNew ? 'made anew, ' : ''}${what}`, ...leftOut(secret, isNew));
  if (unread.length > 0) {
    const list = unread.map(({ version, state }) => `${version} (${state})`).join(', ');
    restored.notes.push(`${name}: versions without a value were not brought back: ${list}`);
  }
}

async function enabledValues(manager: SecretManager, name: string): Promise<{ version: string; data: Buffer }[]> {
  const values: { version: string; data: Buffer }[] = [];
  for (const { version, state } of await manager.versions(name))
    if (state === 'enabled') values.push({ version, data: await manager.access(name, version) });
  return values;
}

async function restoreAliases(
  manager: SecretManager,
  { name, versionAliases }: SecretSettings,
  { numbers, restored }: { numbers: Map<string, string>; restored: Restored },
): Promise<void> {
  const aliases = Object.entries(versionAliases).flatMap(([alias, version]) => {
    const number = numbers.get(version);
    if (number === undefined)
      restored.notes.push(`${name}: the name ${alias} meant version ${version}, which has no value`);
    return number === undefined ? [] : [[alias, number]];
  });
  if (aliases.length > 0) await manager.setAliases(name, Object.fromEntries(aliases));
}

/** What would do something by itself, or leads to what may not be in another project. */
function leftOut({ settings }: StoredSecret, isNew: boolean): string[] {
  const { name, topics, rotation, expireTime } = settings;
  if (!isNew) return [];
  return [
    ...(topics.length > 0 ? [`${name}: its topics were not set: ${topics.join(', ')}`] : []),
    ...(rotation !== undefined ? [`${name}: its rotation was not set`] : []),
    ...(expireTime !== undefined ? [`${name}: its expiry at ${expireTime} was not set`] : []),
  ];
}

/** @throws path-missing where a pattern names nothing */
function selectedOf(secrets: readonly StoredSecret[], { only, exclude }: Selection = {}): StoredSecret[] {
  const isExcluded = pathMatcher(exclude ?? []);
  const kept = secrets.filter(({ path }) => !isExcluded(`/${path}`));
  if (only === undefined) return kept;
  const named = new NamedPaths(only);
  const selected = kept.filter(({ path }) => named.has(`/${path}`));
  named.refuseUnused(['the secrets and variables of the snapshot'], LISTED);
  return selected;
}

const LISTED = 'List what is in it with `holdfast ls`. Files are restored to a directory.';

function nothingToRestore(): HoldfastError {
  return new HoldfastError('path-missing', 'the snapshot has no secret and no variable that was asked for', {
    hint: LISTED,
  });
}

/** Holds the newest value of each secret against that in the snapshot. */
export async function compareWithCloud(
  entries: Entries,
  project: SecretProject,
  variables: Variables,
): Promise<Comparison> {
  const comparison: Comparison = { compared: 0, differences: [], notes: [] };
  const manager = new SecretManager(project, variables);
  const { own, namesakes } = partNamesakes(storedSecrets(entries));
  for (const { path } of namesakes) comparison.notes.push(`${path} was not compared: a secret has its name too`);
  try {
    for (const { settings, values, path } of own) {
      const expected = values.at(-1);
      if (expected === undefined) continue;
      comparison.compared++;
      const item = `secret ${settings.name}`;
      const found =
        (await manager.get(settings.name)) === undefined
          ? undefined
          : (await enabledValues(manager, settings.name)).at(-1);
      if (found === undefined)
        comparison.differences.push({ item, kind: 'missing', detail: 'is not there, or has no enabled version' });
      else if (!found.data.equals(expected.data)) {
        const detail = `version ${found.version} is not what version ${expected.version} of ${path} is`;
        comparison.differences.push({ item, kind: 'content', detail });
      }
    }
  } finally {
    await manager.close();
  }
  return comparison;
}
