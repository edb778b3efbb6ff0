export { MeteredStore } from './metered-store.ts';
