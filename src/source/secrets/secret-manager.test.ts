import { afterEach, expect, it, vi } from 'vitest';
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
