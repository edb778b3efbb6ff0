export { readSecretVersion } from './secret-manager.ts';
export { createSecretsSource, type SecretsSourceOptions } from './secrets-source.ts';
