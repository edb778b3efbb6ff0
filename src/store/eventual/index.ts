export { EventualStore } from './eventual-store.ts';
