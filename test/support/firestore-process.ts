/**
 * The Firestore server of the tests in a process of its own. Arguments: how many documents it has at first, about a
 * kibibyte each, a tenth of them in subcollections. Says its host; ends when its standard input does.
 */

import { startFirestoreServer } from './firestore-server.ts';
import type { Fields } from './firestore-server-messages.ts';

const PROJECT = 'bench';
const COMMIT_DOCUMENTS = 500;

const documents = Number(process.argv[2] ?? 0);
const name = `projects/${PROJECT}/databases/(default)`;
const server = await startFirestoreServer({ databases: [name] });
const database = server.databaseOf(name);
for (let start = 0; start < documents; start += COMMIT_DOCUMENTS) {
  const count = Math.min(COMMIT_DOCUMENTS, documents - start);
  database.commit(
    Array.from({ length: count }, (_, index) => ({
      update: { name: `${name}/documents/${pathOf(start + index)}`, fields: fieldsOf(start + index) },
    })),
  );
}
process.stdout.write(`${server.host}\n`);
process.stdin.resume().on('end', () => process.exit());

/** Ids as the client makes them: without order. */
function pathOf(number: number): string {
  const id = (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(36).padStart(7, '0');
  return number % 10 === 9 ? `companies/c${number % 1000}/deals/${id}` : `contacts/${id}`;
}

function fieldsOf(number: number): Fields {
  return {
    name: { stringValue: `Contact ${number}` },
    email: { stringValue: `contact.${number}@example.com` },
    score: { doubleValue: number / 7 },
    visits: { integerValue: `${number}` },
    active: { booleanValue: number % 3 === 0 },
    created: { timestampValue: { seconds: `${1_600_000_000 + number}`, nanos: 123_000 } },
    company: { referenceValue: `${name}/documents/companies/c${number % 1000}` },
    tags: { arrayValue: { values: [{ stringValue: 'lead' }, { stringValue: `t${number % 17}` }] } },
    address: {
      mapValue: { fields: { city: { stringValue: 'Springfield' }, zip: { stringValue: `${number % 99999}` } } },
    },
    notes: { stringValue: `${number} `.repeat(100) },
  };
}
