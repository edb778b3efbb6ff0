export { hasSecret, putSecretValue } from './put-secret-value.ts';
export { readSecretVersion } from './secret-manager.ts';
export { createSecretsSource, type SecretsSourceOptions } from './secrets-source.ts';
