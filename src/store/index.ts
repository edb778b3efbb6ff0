export * from './content.ts';
export * from './decorated-store.ts';
export * from './http.ts';
export * from './object-store.ts';
export * from './store-metrics.ts';
