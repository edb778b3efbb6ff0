export { LockingStore } from './locking-store.ts';
