export { RetryingStore } from './retrying-store.ts';
