import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { HoldfastError } from '../foundation/errors.ts';
import type { Adapters, Environment } from '../operations/index.ts';
import type { S3Place } from '../plan/index.ts';
import type { ObjectStore } from '../store/index.ts';

/** The oldest major version whose clusters are backed up physically. */
const OLDEST_POSTGRES = 15;

/** Every adapter there is, each loaded when the plan first needs it. */
export const adapters: Adapters = {
  async openStore(place, environment) {
    if (place.kind === 's3') return openS3(place, environment);
    const { createLocalStore } = await import('../store/local/index.ts');
    return createLocalStore(place.path);
  },

  async createSource(source, { version, plan, ...references }) {
    const { resolveReferences, resolveSecret } = await import('../plan/index.ts');
    switch (source.type) {
      case 'files': {
        const { createFilesSource } = await import('../source/files/index.ts');
        const { paths, exclude, validate } = await resolveReferences(source, references);
        const checks = validate.flatMap((check) => (check.kind === 'exec' ? [check] : []));
        return createFilesSource({ name: source.name, paths, exclude, validate: checks, version });
      }
      case 'postgres': {
        const { createPostgresSource, slotName } = await import('../source/postgres/index.ts');
        const { name, method, wal, standby } = source;
        const url = () => resolveSecret(standby?.url ?? source.url, references);
        const primaryUrl = standby && (() => resolveSecret(source.url, references));
        const slot = wal === 'stream' ? slotName(plan, name) : undefined;
        const validate = await resolveReferences(source.validate, references);
        return createPostgresSource({ name, url, primaryUrl, method, slot, validate, version });
      }
      default:
        throw new HoldfastError('internal', `no adapter for a source of type ${(source as { type: string }).type}`);
    }
  },

  async createSandbox({ clock, signal }) {
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

type StoreEnvironment = Pick<Environment, 'clock' | 'signal' | 'variables'>;

async function openS3(place: S3Place, { clock, signal, variables }: StoreEnvironment): Promise<ObjectStore> {
  const [{ createS3Store }, { RetryingStore }, { ProbedStore }] = await Promise.all([
    import('../store/s3/index.ts'),
    import('../store/retrying/index.ts'),
    import('../store/probed/index.ts'),
  ]);
  const store = new RetryingStore(createS3Store(place), { clock, signal });
  // Another server may be quite another thing behind the same name, and a part of a bucket has the rules of all of it.
  const identity = JSON.stringify([place.kind, place.endpoint ?? '', place.bucket]);
  return new ProbedStore(store, { clock, recordFile: recordFileOf(identity, variables) });
}

/** Where what is known of a store is kept between runs: in the user's cache, if there is one. */
function recordFileOf(identity: string, variables: Environment['variables']): string | undefined {
  const { XDG_CACHE_HOME: cache, HOME: home } = variables;
  const directory = cache?.startsWith('/') ? cache : home?.startsWith('/') ? join(home, '.cache') : undefined;
  if (directory === undefined) return undefined;
  return join(directory, 'holdfast', 'stores', `${createHash('sha256').update(identity).digest('hex')}.json`);
}
