export * from './content.ts';
export * from './decorated-store.ts';
export * from './http.ts';
export * from './object-lock.ts';
export * from './object-store.ts';
export * from './past-store.ts';
export * from './store-metrics.ts';
export * from './stored-object.ts';
