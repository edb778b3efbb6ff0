/** One secret by its full name: whether it is there, and a new value for it. */
import { HoldfastError } from '../../foundation/errors.ts';
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
