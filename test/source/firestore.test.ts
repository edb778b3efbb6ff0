import { afterAll, expect } from 'vitest';
import type { Target } from '../../src/foundation/target.ts';
import { AS_OWNER, everything, IS_EMULATOR, startFirestore, type TestDatabase } from '../support/firestore.ts';
import { firestoreSource } from '../support/firestore-backup.ts';
import type { Fields } from '../support/firestore-server-messages.ts';
import { describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const text = (stringValue: string): Fields => ({ text: { stringValue } });

/** More than is on its way at a time: some megabytes. */
const LONG = 'and so on, until the document is long. '.repeat(500);
const MANY = 200;

const FILLED: Record<'nothing' | 'some' | 'much', Record<string, Fields>> = {
  nothing: {},
  some: {
    'companies/acme': { n: { integerValue: '9223372036854775807' }, zero: { doubleValue: -0 } },
    'companies/acme/deals/1': text('Grüße'),
    'missing/parent/below/it': text('found'),
    'users/ada': { bytes: { bytesValue: Buffer.from([0, 255]) }, none: { nullValue: 'NULL_VALUE' } },
  },
  much: Object.fromEntries(Array.from({ length: MANY }, (_, at) => [`readings/${at}`, text(`${at} ${LONG}`)])),
};

const firestore = await startFirestore();
afterAll(() => firestore.close());

describeSource('a Firestore database', async (): Promise<SourceUnderTest> => {
  let living: TestDatabase = firestore;
  const rootOf = (place: Target | undefined): string => {
    if (place === undefined) return living.root;
    return `projects/${place.kind === 'database' ? place.url.slice('firestore://'.length) : ''}/databases/(default)/documents`;
  };
  const write = async (place: Target, path: string, fields: Fields): Promise<void> => {
    const root = rootOf(place);
    const writes = [{ update: { name: `${root}/${path}`, fields } }];
    await firestore.client.commit({ database: root.slice(0, -'/documents'.length), writes } as object, AS_OWNER);
  };
  const contents = async (place: Target | undefined): Promise<[string, Fields][]> => {
    const root = rootOf(place);
    const found: [string, Fields][] = [];
    const request = { parent: root, structuredQuery: everything() };
    for await (const { document } of firestore.client.runQuery(request as object, AS_OWNER)) {
      if (document) found.push([document.name.slice(root.length), document.fields]);
    }
    return found;
  };
  return {
    async source(amount) {
      living = firestore.another();
      await living.write(FILLED[amount]);
      return firestoreSource(firestore, living);
    },
    // An emulator has every database that it is asked for.
    gone: IS_EMULATOR ? undefined : () => firestoreSource(firestore, { project: 'nowhere' }),
    details: {
      documents: 4,
      collections: ['companies', 'companies/*/deals', 'missing/*/below', 'users'].map((collection) =>
        expect.objectContaining({ collection, documents: 1 }),
      ),
    },
    async place() {
      const url = `firestore://${firestore.another().project}`;
      return { kind: 'database', url, label: url, sandbox: false };
    },
    wrongPlaces: [{ kind: 'database', url: 'postgres://localhost/none', label: 'a database', sandbox: false }],
    occupy: (place) => write(place, 'of/somebody', text('else')),
    contents,
    alter: (place) => write(place, 'companies/acme/deals/1', text('grüße')),
    part: {
      only: ['/companies/acme', 'users'],
      async contents() {
        return (await contents(undefined)).filter(([path]) => !path.startsWith('/missing'));
      },
    },
  };
});
