import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { SecretManagerServer } from '../../../test/support/secret-manager-server.ts';
import { SecretManager } from './secret-manager.ts';

afterEach(() => vi.unstubAllEnvs());

it('says that credentials are missing, and leaves no failure behind that nobody hears of', async () => {
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/dev/null/none.json');
  const manager = new SecretManager({ project: 'omni' }, {});
  const refused = { code: 'source-unreachable', message: 'Secret Manager cannot be asked for the secret token' };
  await expect(manager.get('token')).rejects.toMatchObject(refused);
  await expect(manager.get('token')).rejects.toMatchObject(refused);
  await manager.close();
});

it('lists without a word of the library on the terminal', async () => {
  const server = await new SecretManagerServer().start();
  onTestFinished(() => server.stop());
  server.put('projects/omni/secrets/token', ['one']);
  const warned = vi.spyOn(process, 'emitWarning');
  const manager = new SecretManager({ project: 'omni' }, { SECRET_MANAGER_EMULATOR_HOST: server.host });
  onTestFinished(() => manager.close());
  expect(await manager.list()).toHaveLength(1);
  expect(await manager.versions('token')).toHaveLength(1);
  expect(warned.mock.calls.filter(([message]) => String(message).startsWith('Autopaginate'))).toEqual([]);
});
