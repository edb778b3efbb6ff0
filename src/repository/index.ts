export type * from './snapshot-io.ts';
