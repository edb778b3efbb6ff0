import type { Source as PlanSource } from '../../plan/index.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';

/** What a sandbox must offer to take a restore of this source. */
export function sandboxNeed(planned: PlanSource, { details }: Manifest): SandboxNeed {
  if (planned.type === 'firestore') return { kind: 'firestore' };
  if (planned.type === 'redis') return redisNeed(details, planned.stream ? STREAMED_DATABASES : USUAL_DATABASES);
  if (planned.type !== 'postgres') return { kind: 'directory' };
  const text = (key: string): string => String(details[key] ?? '');
  if (details['format'] === 'pg-data-directory') {
    return {
      kind: 'postgres-data',
      majorVersion: Number(details['majorVersion']),
      superuser: text('superuser'),
      database: text('database'),
      settings: details['settings'] as Record<string, string>,
    };
  }
  return {
    kind: 'postgres',
    majorVersion: Math.floor(Number(details['serverVersionNumber']) / 10_000),
    newerServes: true,
    encoding: text('encoding'),
    collate: text('collate'),
    ctype: text('ctype'),
  };
}

/** A server has so many databases unless it is told otherwise. */
const USUAL_DATABASES = 16;
/** A stream may write to databases in which the backup has nothing. */
const STREAMED_DATABASES = 1024;

function redisNeed(details: Manifest['details'], atLeast: number): SandboxNeed {
  const counts = details['counts'] as readonly { database: number; type: string }[];
  const highest = counts.reduce((most, { database }) => Math.max(most, database), 0);
  return {
    kind: 'redis',
    server: details['server'] === 'Valkey' ? 'Valkey' : 'Redis',
    version: String(details['serverVersion']),
    rdbVersion: Number(details['rdbVersion']),
    isValkeyRdb: details['isValkeyRdb'] === true,
    databases: Math.max(atLeast, highest + 1),
    hasModules: Number(details['moduleFacts']) > 0 || counts.some(({ type }) => type === 'module'),
  };
}
