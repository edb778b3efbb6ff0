export { ProbedStore } from './probed-store.ts';
