export type { PostgresClusterOptions } from './cluster-options.ts';
export type { ServerSettings } from './cluster-settings.ts';
export { createLocalSandbox, type LocalSandboxOptions } from './local-sandbox.ts';
export { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';
