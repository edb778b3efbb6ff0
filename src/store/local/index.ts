export { createLocalStore } from './local-store.ts';
