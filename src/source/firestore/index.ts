export { createFirestoreSource, type FirestoreSourceOptions } from './firestore-source.ts';
export { FirestoreAdministration } from './restore/administration.ts';
