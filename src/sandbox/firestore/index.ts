export { createFirestoreSandbox, type DatabaseAdministration } from './firestore-sandbox.ts';
