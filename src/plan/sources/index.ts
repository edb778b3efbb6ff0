/** The types of sources that a plan may have: a file each. */
import { z } from 'zod';
import type { SourceBase } from './common.ts';
import { buildFiles, type FilesSource, files } from './files.ts';
import { buildFirestore, type FirestoreSource, firestore } from './firestore.ts';
import { buildGit, type GitSource, git } from './git.ts';
import { buildPostgres, type PostgresSource, postgres, type Standbys } from './postgres.ts';
import { buildRedis, type RedisSource, redis } from './redis.ts';
import { buildSecrets, type SecretsSource, secrets } from './secrets.ts';
import { buildSqlite, type SqliteSource, sqlite } from './sqlite.ts';

export const source = z.discriminatedUnion('type', [postgres, redis, files, firestore, git, secrets, sqlite], {
  error: ({ input }) =>
    typeof input === 'object' && input !== null
      ? SOURCE_TYPES.join(' or ')
      : 'a source such as { type: files, paths: [/srv/uploads] }',
});

export const SOURCE_TYPES = ['postgres', 'redis', 'files', 'firestore', 'git', 'secrets', 'sqlite'] as const;

export type SourceDocument = z.output<typeof source>;

/** A source as the program works with it. */
export type Source =
  | PostgresSource
  | RedisSource
  | FilesSource
  | FirestoreSource
  | GitSource
  | SecretsSource
  | SqliteSource;
export type SourceType = Source['type'];

export function buildSource(
  source: SourceDocument,
  base: Omit<SourceBase, 'validate'>,
  { standbys = {} }: { standbys?: Standbys | undefined },
): Source {
  switch (source.type) {
    case 'postgres':
      return buildPostgres(source, base, standbys);
    case 'redis':
      return buildRedis(source, base);
    case 'files':
      return buildFiles(source, base);
    case 'firestore':
      return buildFirestore(source, base);
    case 'git':
      return buildGit(source, base);
    case 'secrets':
      return buildSecrets(source, base);
    case 'sqlite':
      return buildSqlite(source, base);
  }
}

/** Whether the source's log is captured as well, so that every moment between two backups can be restored. */
export function hasLog(source: Source): boolean {
  if (source.type === 'redis') return source.stream;
  return source.type === 'postgres' && source.wal === 'stream';
}

/** Whether it is watched, and captured as it changes. */
export function isWatched(source: Source): boolean {
  return source.schedule?.kind === 'continuous' && !hasLog(source);
}
