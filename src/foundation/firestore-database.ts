import { HoldfastError } from './errors.ts';

/** Which Firestore database: of a plan's entry, a target, a sandbox. */
export interface FirestoreDatabase {
  project: string;
  /** `(default)` where a project has but one. */
  database: string;
}

export const DEFAULT_DATABASE = '(default)';

const URL_NOTATION = /^firestore:\/\/([^/?#\s]+)(?:\/([^/?#\s]+))?\/?$/i;
const RESOURCE_NOTATION = /^projects\/([^/\s]+)\/databases\/([^/\s]+)$/;

/**
 * The database that `firestore://PROJECT/DATABASE`, `firestore://PROJECT` or `projects/PROJECT/databases/DATABASE` names;
 * undefined where `text` is none of these.
 */
export function parseFirestoreDatabase(text: string): FirestoreDatabase | undefined {
  const [, project, database = DEFAULT_DATABASE] = URL_NOTATION.exec(text) ?? RESOURCE_NOTATION.exec(text) ?? [];
  return project === undefined ? undefined : { project, database };
}

/** @throws bad-usage where `text` names none */
export function firestoreDatabase(text: string): FirestoreDatabase {
  const parsed = parseFirestoreDatabase(text);
  if (parsed !== undefined) return parsed;
  throw new HoldfastError('bad-usage', 'that is not the name of a Firestore database', {
    hint: 'Write `firestore://PROJECT/DATABASE`, or `firestore://PROJECT` for its default database.',
    context: { given: text },
  });
}

export function firestoreUrl({ project, database }: FirestoreDatabase): string {
  return `firestore://${project}/${database}`;
}

/** What a person types to confirm that this database is meant: the project of a default one, else `PROJECT/DATABASE`. */
export function firestoreConfirmation({ project, database }: FirestoreDatabase): string {
  return database === DEFAULT_DATABASE ? project : `${project}/${database}`;
}
