/** One secret by its full name: whether it is there, and a new value for it. */
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { SecretManager, type Variables } from './secret-manager.ts';

const SECRET_NAME = /^projects\/([^/]+)\/(?:locations\/([^/]+)\/)?secrets\/([A-Za-z0-9_-]{1,255})$/;

/** @throws source-refused, source-unreachable, bad-usage */
export async function hasSecret(fullName: string, variables: Variables): Promise<boolean> {
  return withSecret(fullName, variables, async (manager, name) => (await manager.get(name)) !== undefined);
}

/**
 * Makes a value what `latest` means. Where the newest version has it and is enabled, none is added: done twice, it is there once.
 * What came of it is read back.
 * @throws source-refused, source-unreachable, source-lost, bad-usage; path-missing where there is no such secret
 */
export async function putSecretValue(
  fullName: string,
  value: string,
  variables: Variables,
): Promise<{ version: string; isNew: boolean }> {
  const data = Buffer.from(value);
  return withSecret(fullName, variables, async (manager, name) => {
    const newest = (await manager.versions(name)).at(-1);
    if (newest?.state === 'enabled' && (await manager.access(name, newest.version)).equals(data))
      return { version: newest.version, isNew: false };
    const version = await manager.add(name, data);
    if (!(await manager.access(name, version)).equals(data)) {
      throw new HoldfastError('source-lost', `version ${version} of the secret ${name} is not what was put there`, {
        hint: 'See who else writes to this secret, and do it again.',
      });
    }
    return { version, isNew: true };
  });
}

/** What there is to know of a secret before its older versions are disabled. */
export interface SecretState {
  enabled: string[];
  /** Names of versions that lead to an older one than the newest. */
  aliases: string[];
}

/** @throws source-refused, source-unreachable, bad-usage; path-missing where there is no such secret */
export async function lookAtSecret(fullName: string, variables: Variables): Promise<SecretState> {
  return withSecret(fullName, variables, async (manager, name) => {
    const versions = await manager.versions(name);
    const enabled = versions.flatMap(({ version, state }) => (state === 'enabled' ? [version] : []));
    const { versionAliases = {} } = (await manager.get(name)) ?? {};
    const newest = versions.at(-1)?.version;
    const aliases = Object.entries(versionAliases).flatMap(([alias, version]) => (version === newest ? [] : [alias]));
    return { enabled, aliases };
  });
}

/**
 * Gives a secret a new value, and has every older version give its value to nobody: each is tried, and refused. Done again,
 * with another value or the same, it is so again.
 * @returns the new version, and how many older ones were disabled
 * @throws source-refused, source-unreachable, source-lost, bad-usage; path-missing where there is no such secret;
 *   validation-failed where an older version still gives its value, or the newest is another one
 */
export async function rotateSecret(
  fullName: string,
  value: string,
  variables: Variables,
): Promise<{ version: string; disabled: number }> {
  const { version } = await putSecretValue(fullName, value, variables);
  return withSecret(fullName, variables, async (manager, name) => {
    const older = (await manager.versions(name)).filter((each) => each.version !== version);
    const enabled = older.filter(({ state }) => state === 'enabled');
    for (const each of enabled) await manager.disable(name, each.version);
    for (const each of enabled) await assertDead(manager, name, each.version);
    if ((await manager.access(name, 'latest')).equals(Buffer.from(value))) return { version, disabled: enabled.length };
    throw new HoldfastError('validation-failed', `the newest version of ${name} is not the one that was just added`, {
      hint: 'See who else writes to this secret, and do it again.',
    });
  });
}

/** @throws validation-failed where the version still gives its value */
async function assertDead(manager: SecretManager, name: string, version: string): Promise<void> {
  try {
    await manager.access(name, version);
  } catch (error) {
    if (isHoldfastError(error, 'source-refused') && error.context['status'] === 'FAILED_PRECONDITION') return;
    throw error;
  }
  throw new HoldfastError(
    'validation-failed',
    `version ${version} of ${name} was disabled, and still gives its value`,
    {
      hint: 'Disable it by hand: `gcloud secrets versions disable`, and see that it stays so.',
    },
  );
}

async function withSecret<T>(
  fullName: string,
  variables: Variables,
  work: (manager: SecretManager, name: string) => Promise<T>,
): Promise<T> {
  const [, project, location, name] = SECRET_NAME.exec(fullName) ?? [];
  if (project === undefined || name === undefined) {
    throw new HoldfastError('bad-usage', `${fullName} is not the name of a secret`, {
      hint: 'It looks like projects/PROJECT/secrets/NAME.',
    });
  }
  const manager = new SecretManager({ project, ...(location !== undefined && { location }) }, variables);
  try {
    return await work(manager, name);
  } finally {
    await manager.close();
  }
}
