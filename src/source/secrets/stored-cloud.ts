import type { Entries } from './entries.ts';
import { SETTINGS_FILE } from './gather-cloud.ts';
import type { SecretSettings, SecretVersion } from './secret-manager.ts';

/** A secret of a snapshot, as Secret Manager is to have it. */
export interface StoredSecret {
  /** Where it lies in the snapshot, which is what a selection means. */
  path: string;
  settings: SecretSettings;
  /** Values, oldest first, with the numbers that they had. */
  values: { version: string; data: Buffer }[];
  /** Versions that had no value to be read: disabled, or destroyed. */
  unread: SecretVersion[];
}

/** Secrets of a snapshot that come from Secret Manager, and variables, which can be brought there as well. */
export function storedSecrets(entries: Entries): StoredSecret[] {
  const secrets: StoredSecret[] = [];
  for (const [path, { content }] of entries) {
    if (path.startsWith('gcp/') && path.endsWith(`/${SETTINGS_FILE}`))
      secrets.push(cloudSecret(entries, path, content));
    else if (path.startsWith('env/')) secrets.push(ofVariable(path, content));
  }
  return secrets.sort((a, b) => (a.settings.name < b.settings.name ? -1 : 1));
}

/**
 * Parts variables from the others whose names are those of secrets: brought to the same project, the value of one would become
 * a version of the other, and the newest. One with the newest value of that secret comes with it.
 */
export function partNamesakes(secrets: readonly StoredSecret[]): { own: StoredSecret[]; namesakes: StoredSecret[] } {
  const newest = new Map(
    secrets.filter((each) => !isVariable(each)).map(({ settings, values }) => [settings.name, values.at(-1)?.data]),
  );
  const isNamesake = (each: StoredSecret): boolean => isVariable(each) && newest.has(each.settings.name);
  const isOther = ({ settings, values }: StoredSecret): boolean =>
    newest.get(settings.name)?.equals(values[0]!.data) !== true;
  return {
    own: secrets.filter((each) => !isNamesake(each)),
    namesakes: secrets.filter((each) => isNamesake(each) && isOther(each)),
  };
}

function isVariable({ path }: StoredSecret): boolean {
  return path.startsWith('env/');
}

/** The paths of a snapshot that Secret Manager cannot take: files, whose paths are no names of secrets. */
export function filePaths(entries: Entries): string[] {
  return [...entries.keys()].filter((path) => path.startsWith('files/'));
}

function cloudSecret(entries: Entries, path: string, content: Buffer): StoredSecret {
  const { versions, ...settings } = JSON.parse(content.toString('utf8')) as SecretSettings & {
    versions: SecretVersion[];
  };
  const directory = path.slice(0, -`/${SETTINGS_FILE}`.length);
  const values = versions.flatMap(({ version }) => {
    const data = entries.get(`${directory}/versions/${version}`)?.content;
    return data === undefined ? [] : [{ version, data }];
  });
  return { path: directory, settings, values, unread: versions.filter(({ state }) => state !== 'enabled') };
}

function ofVariable(path: string, data: Buffer): StoredSecret {
  const settings = { name: path.slice('env/'.length), labels: {}, annotations: {}, versionAliases: {}, topics: [] };
  return { path, settings, values: [{ version: '1', data }], unread: [] };
}
