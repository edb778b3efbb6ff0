export { hasSecret, lookAtSecret, putSecretValue, rotateSecret } from './put-secret-value.ts';
export { readSecretVersion } from './secret-manager.ts';
export { createSecretsSource, type SecretsSourceOptions } from './secrets-source.ts';
