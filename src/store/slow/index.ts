export { type Slowness, SlowStore } from './slow-store.ts';
