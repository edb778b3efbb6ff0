import { HoldfastError } from '../foundation/errors.ts';
import type { Adapters } from '../operations/index.ts';
import type { ReferenceContext } from '../plan/index.ts';

/** The oldest major version whose clusters are backed up physically. */
const OLDEST_POSTGRES = 15;

/** Where Firestore is, as Google's own tools are told: the plan comes before the environment. */
function firestoreEndpoint(emulator: string | undefined, { env }: ReferenceContext): { emulator: string | undefined } {
  return { emulator: emulator ?? env['FIRESTORE_EMULATOR_HOST'] };
}

/** Every adapter there is, each loaded when the plan first needs it. */
export const adapters: Adapters = {
  async openStore(place, context) {
    const { openDirectory, openGcs, openS3 } = await import('./stores.ts');
    switch (place.kind) {
      case 's3':
        return openS3(place, context);
      case 'gcs':
        return openGcs(place, context);
      case 'local':
        return openDirectory(place.path, context);
    }
  },

  async cached(store, { place, ...context }) {
    if (place.kind === 'local') {
      // Files of this machine are read as fast as those of a cache would be.
      const { RememberingStore } = await import('../store/remembering/index.ts');
      return new RememberingStore(store);
    }
    const { withCache } = await import('./stores.ts');
    return withCache(store, context);
  },

  async createSource(source, { version, plan, moved = async () => undefined, ...references }) {
    const { resolveReferences, resolveSecret } = await import('../plan/index.ts');
    switch (source.type) {
      case 'files': {
        const { createBucketSource, createFilesSource } = await import('../source/files/index.ts');
        const { paths, exclude, validate } = await resolveReferences(source, references);
        const checks = validate.flatMap((check) => (check.kind === 'exec' ? [check] : []));
        const common = { name: source.name, exclude, validate: checks, version };
        if (source.bucket === undefined) return createFilesSource({ ...common, paths });
        const { openBucket } = await import('./stores.ts');
        return createBucketSource({ ...common, bucket: await openBucket(source.bucket, references) });
      }
      case 'firestore': {
        const { createFirestoreSource } = await import('../source/firestore/index.ts');
        const resolved = await resolveReferences(source, references);
        const { project, database, emulator, collections, bucket, validate } = resolved;
        const endpoint = firestoreEndpoint(emulator, references);
        const budget = { ...source.budget, price: source.prices.reads };
        const place = { database: { project, database }, endpoint };
        const { name, prices } = source;
        return createFirestoreSource({ name, ...place, collections, bucket, budget, prices, validate, version });
      }
      case 'postgres': {
        const { createPostgresSource, slotName } = await import('../source/postgres/index.ts');
        const { name, method, wal, standby } = source;
        const url = async () => (await moved()) ?? resolveSecret(standby?.url ?? source.url, references);
        // What moved is followed where it is, and no standby of it.
        const primaryUrl =
          standby && (async () => ((await moved()) === undefined ? resolveSecret(source.url, references) : undefined));
        const slot = wal === 'stream' ? slotName(plan, name) : undefined;
        const validate = await resolveReferences(source.validate, references);
        return createPostgresSource({ name, url, primaryUrl, method, slot, validate, version });
      }
      case 'redis': {
        const { createRedisSource } = await import('../source/redis/index.ts');
        const { name, method, stream } = source;
        const url = async () => (await moved()) ?? resolveSecret(source.url, references);
        const validate = await resolveReferences(source.validate, references);
        return createRedisSource({ name, url, method, stream, validate, version });
      }
      case 'sqlite': {
        const { createSqliteSource } = await import('../source/sqlite/index.ts');
        const { path, validate } = await resolveReferences(source, references);
        return createSqliteSource({ name: source.name, path, validate, version });
      }
      case 'git': {
        const [{ createGitSource }, { gitOptions }] = await Promise.all([
          import('../source/git/index.ts'),
          import('./git-options.ts'),
        ]);
        return createGitSource({ ...(await gitOptions(source, references)), version });
      }
      case 'secrets': {
        const [{ createSecretsSource }, { secretsOptions }] = await Promise.all([
          import('../source/secrets/index.ts'),
          import('./secrets-options.ts'),
        ]);
        return createSecretsSource({ ...(await secretsOptions(source, references)), version });
      }
      default:
        throw new HoldfastError('internal', `no adapter for a source of type ${(source as { type: string }).type}`);
    }
  },

  async createChannel(planned, context) {
    const { createChannel } = await import('./channels.ts');
    return createChannel(planned, context);
  },

  async measureReplication(urls, signal) {
    const { replicationPositions } = await import('../source/postgres/index.ts');
    return replicationPositions(urls, signal);
  },

  async postgresFailover() {
    return (await import('../source/postgres/index.ts')).postgresFailover;
  },

  async redisFailover() {
    return (await import('../source/redis/index.ts')).redisFailover;
  },

  async postgresCredentials() {
    return (await import('../source/postgres/index.ts')).postgresCredentials;
  },

  async redisCredentials() {
    return (await import('../source/redis/index.ts')).redisCredentials;
  },

  async redisUsers() {
    return (await import('../source/redis/index.ts')).redisUsers;
  },

  async postgresUsers() {
    return (await import('../source/postgres/index.ts')).postgresUsers;
  },

  async postgresGate() {
    return (await import('../source/postgres/index.ts')).postgresGate;
  },

  async createDnsServer(settings, { env }) {
    if (settings.provider === 'cloud-dns') {
      const { createCloudDnsServer } = await import('../dns/cloud-dns/index.ts');
      return createCloudDnsServer(settings, env);
    }
    const { createRfc2136Server } = await import('../dns/rfc2136/index.ts');
    return createRfc2136Server(settings);
  },

  async readCloudSecret(name, context) {
    const { readSecretVersion } = await import('../source/secrets/index.ts');
    return readSecretVersion(name, context);
  },

  async hasSecret(name, { env }) {
    const { hasSecret } = await import('../source/secrets/index.ts');
    return hasSecret(name, env);
  },

  async putSecretValue(name, value, { env }) {
    const { putSecretValue } = await import('../source/secrets/index.ts');
    return putSecretValue(name, value, env);
  },

  async lookAtSecret(name, { env }) {
    const { lookAtSecret } = await import('../source/secrets/index.ts');
    return lookAtSecret(name, env);
  },

  async rotateSecret(name, value, { env }) {
    const { rotateSecret } = await import('../source/secrets/index.ts');
    return rotateSecret(name, value, env);
  },

  async createSandbox({ clock, signal }, chosen) {
    if (chosen?.sandbox.type === 'firestore' && chosen.source.type === 'firestore') {
      const { resolveReferences } = await import('../plan/index.ts');
      const [sandbox, living] = await resolveReferences([chosen.sandbox, chosen.source] as const, chosen.references);
      const [{ createFirestoreSandbox }, { FirestoreAdministration }] = await Promise.all([
        import('../sandbox/firestore/index.ts'),
        import('../source/firestore/index.ts'),
      ]);
      const endpoint = firestoreEndpoint(living.emulator, chosen.references);
      const administration = () => new FirestoreAdministration(sandbox.project, endpoint);
      return createFirestoreSandbox({ clock, ...sandbox, living, administration });
    }
    const { createLocalSandbox } = await import('../sandbox/local/index.ts');
    return createLocalSandbox({ clock, signal });
  },

  async startDemoServer({ clock, signal }) {
    const [{ startPostgresCluster }, { findPostgresPrograms }] = await Promise.all([
      import('../sandbox/local/index.ts'),
      import('../foundation/postgres-programs.ts'),
    ]);
    const server = await findPostgresPrograms({
      programs: ['initdb', 'postgres'],
      atLeastMajor: OLDEST_POSTGRES,
    });
    return startPostgresCluster({ server, clock, signal, settings: { wal_level: 'replica', max_wal_senders: 10 } });
  },
};
