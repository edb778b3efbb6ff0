export { LockedStore, type LockRule } from './locked-store.ts';
