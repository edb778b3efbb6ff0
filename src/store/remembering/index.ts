export { RememberingStore } from './remembering-store.ts';
