export { LyingStore } from './lying-store.ts';
