export * from './decorated-store.ts';
export * from './object-store.ts';
