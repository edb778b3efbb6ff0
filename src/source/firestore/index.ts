export { createFirestoreSource, type FirestoreSourceOptions } from './firestore-source.ts';
