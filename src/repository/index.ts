export { checkRepository } from './check/check.ts';
export type { CheckReport, Finding } from './check/report.ts';
export { type IndexedRepository, loadIndex } from './indexed.ts';
export { type HeldLock, lockRepository } from './locks.ts';
export { Reader } from './read/reader.ts';
export { createRepository, openRepository, type Repository } from './repository.ts';
export type * from './snapshot-io.ts';
export { findSnapshot, listSnapshots, removeSnapshot, type StoredSnapshot } from './snapshots.ts';
export { WriteSession } from './write/session.ts';
