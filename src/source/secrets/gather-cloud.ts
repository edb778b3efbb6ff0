import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { Gathered } from './entries.ts';
import { SecretManager, type SecretProject, type SecretSettings, type Variables } from './secret-manager.ts';

/** So many secrets are read at the same time: the interface takes thousands of calls a minute. */
const READ_AT_ONCE = 8;
/** What is set of a secret, beside its versions. */
export const SETTINGS_FILE = 'secret.json';

export interface CloudPlace extends SecretProject {
  names?: readonly string[];
  filter?: string;
}

/**
 * Reads every enabled version of the secrets, each under `gcp/PROJECT/NAME/versions/`, and what is set of them as
 * `secret.json`. A secret that cannot be read is a problem, as long as the project can be.
 * @throws source-refused, source-unreachable where nothing can be said of the project
 */
export async function gatherCloud(
  gathered: Gathered,
  place: CloudPlace,
  { variables, signal }: { variables: Variables; signal: AbortSignal },
): Promise<void> {
  const manager = new SecretManager(place, variables);
  try {
    const isWanted = (name: string): boolean => gathered.isWanted(secretDirectory(place, name));
    const secrets =
      place.names === undefined
        ? (await manager.list(place.filter)).filter(({ name }) => isWanted(name))
        : await namedSecrets(manager, place.names.filter(isWanted), gathered);
    await sideBySide(secrets, READ_AT_ONCE, async (secret) => {
      signal.throwIfAborted();
      await attempt(gathered, `secret ${secret.name}`, () => gatherSecret(gathered, manager, { place, secret }));
    });
  } finally {
    await manager.close();
  }
}

async function namedSecrets(
  manager: SecretManager,
  names: readonly string[],
  gathered: Gathered,
): Promise<SecretSettings[]> {
  const found = await sideBySide([...new Set(names)], READ_AT_ONCE, (name) =>
    attempt(gathered, `secret ${name}`, async () => {
      const secret = await manager.get(name);
      if (secret !== undefined) return secret;
      throw new HoldfastError('path-missing', 'does not exist in Secret Manager', {
        hint: 'Correct its name in the plan, or bring it back with `holdfast restore`.',
      });
    }),
  );
  return found.filter((secret) => secret !== undefined);
}

async function gatherSecret(
  { entries, counts }: Gathered,
  manager: SecretManager,
  { place, secret }: { place: CloudPlace; secret: SecretSettings },
): Promise<void> {
  const versions = await manager.versions(secret.name);
  const directory = secretDirectory(place, secret.name);
  const values = new Map<string, { content: Buffer; modifiedMs: number }>();
  for (const { version, state, createTime } of versions) {
    if (state !== 'enabled') counts[state]++;
    else
      values.set(version, {
        content: await manager.access(secret.name, version),
        modifiedMs: Date.parse(createTime ?? '') || 0,
      });
  }
  // All of a secret or nothing: half of its versions would be taken for all.
  for (const [version, entry] of values) entries.set(`${directory}/versions/${version}`, entry);
  const settings = Buffer.from(`${JSON.stringify({ ...secret, versions }, null, 1)}\n`);
  entries.set(`${directory}/${SETTINGS_FILE}`, {
    content: settings,
    modifiedMs: Date.parse(secret.createTime ?? '') || 0,
  });
  counts.secrets++;
  counts.versions += values.size;
}

/** Where a secret lies in a snapshot. */
export function secretDirectory({ project, location }: SecretProject, name: string): string {
  return location === undefined ? `gcp/${project}/${name}` : `gcp/${project}/locations/${location}/${name}`;
}

/** What concerns one secret makes the backup partial; that nothing answers ends it. */
async function attempt<T>({ problems }: Gathered, item: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'source-unreachable') throw error;
    problems.push({ item, error });
    return undefined;
  }
}
