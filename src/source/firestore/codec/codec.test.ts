import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SnapshotReader } from '../../../repository/index.ts';
import { DOCUMENTS_FORMAT, readFirestoreDetails } from './details.ts';
import { CollectionDigests, DOCUMENT_DIGEST, DocumentDigest } from './digest.ts';
import { bodyOf, decodeDocument, encodeBody, encodeDocument, nameOf } from './document-line.ts';
import { collectionDirectory, DOCUMENTS_DIRECTORY, partName } from './layout.ts';
import { absoluteName, collectionOf, compareNames, compareText, databaseName, pathOf } from './names.ts';
import type { RawValue } from './values.ts';

const LIVING = databaseName('omni', '(default)');
const OTHER = databaseName('omni-test', 'restored');
const TIMES = { createTime: { seconds: '1700000000', nanos: 123_456_000 }, updateTime: { seconds: 1_700_000_001 } };

const text = fc.string({ unit: 'binary' });
const id = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((value) => !value.includes('/') && value !== '.' && value !== '..' && value.isWellFormed());
const path = fc
  .array(fc.tuple(id, id), { minLength: 1, maxLength: 3 })
  .map((pairs) => `documents/${pairs.flat().join('/')}`);
const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });
const double = fc.double();

const scalar: fc.Arbitrary<RawValue> = fc.oneof(
  fc.constant({ nullValue: 'NULL_VALUE' }),
  fc.boolean().map((booleanValue) => ({ booleanValue })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ integerValue: String(value) })),
  double.map((doubleValue) => ({ doubleValue })),
  fc.tuple(seconds, fc.nat(999_999_999)).map(([at, nanos]) => ({ timestampValue: { seconds: at, nanos } })),
  text.map((stringValue) => ({ stringValue })),
  fc.uint8Array().map((bytes) => ({ bytesValue: Buffer.from(bytes) })),
  path.map((name) => ({ referenceValue: `${LIVING}/${name}` })),
  path.map((name) => ({ referenceValue: `projects/else/databases/d/${name}` })),
  fc.tuple(double, double).map(([latitude, longitude]) => ({ geoPointValue: { latitude, longitude } })),
);
const fieldName = text.filter((name) => name !== '__proto__');
const { value } = fc.letrec<{ value: RawValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }).map((values) => ({ arrayValue: { values } })),
    fc.dictionary(fieldName, tie('value'), { maxKeys: 4 }).map((fields) => ({ mapValue: { fields } })),
  ),
}));
const fields = fc.dictionary(fieldName, value, { maxKeys: 5 });

/** Of a value as the client has it, with what names its kind. */
function withKinds(each: RawValue): RawValue {
  const kind = Object.keys(each)[0] as keyof RawValue;
  if (kind === 'arrayValue')
    return { valueType: kind, arrayValue: { values: each.arrayValue!.values!.map(withKinds) } };
  if (kind === 'mapValue') return { valueType: kind, mapValue: { fields: allWithKinds(each.mapValue!.fields!) } };
  return { valueType: kind, ...each };
}

function allWithKinds(all: Record<string, RawValue>): Record<string, RawValue> {
  return Object.fromEntries(Object.entries(all).map(([name, each]) => [name, withKinds(each)]));
}

function line(fieldsJson: string, name = '"documents/c/d"'): string {
  return `{"createTime":"2026-01-01T00:00:00Z","fields":${fieldsJson},"name":${name},"updateTime":"2026-01-01T00:00:00Z"}`;
}

const HOSTILE = [
  'no JSON',
  '[]',
  'null',
  line('{"a":{"stringValue":1}}'),
  line('{"a":{"integerValue":5}}'),
  line('{"a":{"integerValue":"05"}}'),
  line('{"a":{"integerValue":"99999999999999999999"}}'),
  line('{"a":{"doubleValue":"1"}}'),
  line('{"a":{"doubleValue":1e999}}'),
  line('{"a":{"nullValue":0}}'),
  line('{"a":{"bytesValue":"not base64"}}'),
  line('{"a":{"timestampValue":"2026-02-30T00:00:00Z"}}'),
  line('{"a":{"timestampValue":"2026-01-01T00:00:00+01:00"}}'),
  line('{"a":{"referenceValue":"documents/c"}}'),
  line('{"a":{"referenceValue":"projects/p/../documents/c/d"}}'),
  line('{"a":{"geoPointValue":{"latitude":1}}}'),
  line('{"a":{"arrayValue":{"values":[],"more":1}}}'),
  line('{"a":{"stringValue":"\\ud800"}}'),
  line('{"a":{"stringValue":"","booleanValue":true}}'),
  line('{"a":{"toString":""}}'),
  line('{"__proto__":{"stringValue":"x"}}'),
  line(`{"a":${'{"arrayValue":{"values":['.repeat(10_000)}${']}}'.repeat(10_000)}}`),
  line('{}', '"documents/c"'),
  line('{}', '"documents/c/.."'),
  line('{}', '"projects/p/databases/d/documents/c/d"'),
  line('{}', `"documents/c/${'x'.repeat(1501)}"`),
  line('{}', '1'),
  '{"createTime":"2026-01-01T00:00:00Z","fields":{},"name":"documents/c/d","updateTime":"soon"}',
];

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('the line of a document', () => {
  it('gives back every value of every kind exactly', () => {
    fc.assert(
      fc.property(path, fields, (name, all) => {
        const encoded = encodeDocument({ name: `${LIVING}/${name}`, fields: all, ...TIMES }, LIVING);
        expect(encoded).not.toMatch(/[\n\r]/);
        expect(decodeDocument(encoded, LIVING)).toStrictEqual({ name: `${LIVING}/${name}`, fields: allWithKinds(all) });
        expect(nameOf(encoded)).toBe(name);
      }),
      { numRuns: 300 },
    );
  });

  it('is the same of the same document in another database, but for its times', () => {
    fc.assert(
      fc.property(path, fields, (name, all) => {
        const encoded = encodeDocument({ name: `${LIVING}/${name}`, fields: all, ...TIMES }, LIVING);
        expect(encodeBody(decodeDocument(encoded, OTHER), OTHER)).toBe(bodyOf(encoded));
      }),
      { numRuns: 100 },
    );
  });

  it('is the JSON of the REST interface, with keys sorted by their bytes', () => {
    const all: Record<string, RawValue> = {
      '\u{1F600}': { valueType: 'doubleValue', doubleValue: -0 },
      '\uFFFD': { doubleValue: Number.NaN },
      b: { integerValue: { toString: () => '9223372036854775807' } },
      a: { timestampValue: { seconds: '-62135596800', nanos: 1000 } },
      c: { arrayValue: {} },
      d: { mapValue: { fields: { __type__: { stringValue: '__vector__' } } } },
      e: { nullValue: null },
      f: { geoPointValue: { latitude: 1 } },
      g: { doubleValue: 1 },
    };
    expect(encodeDocument({ name: `${LIVING}/documents/c/d`, fields: all, ...TIMES }, LIVING)).toBe(
      '{"createTime":"2023-11-14T22:13:20.123456Z","fields":{"a":{"timestampValue":"0001-01-01T00:00:00.000001Z"},' +
        '"b":{"integerValue":"9223372036854775807"},"c":{"arrayValue":{"values":[]}},' +
        '"d":{"mapValue":{"fields":{"__type__":{"stringValue":"__vector__"}}}},"e":{"nullValue":null},' +
        '"f":{"geoPointValue":{"latitude":1,"longitude":0}},"g":{"doubleValue":1},"\uFFFD":{"doubleValue":"NaN"},' +
        '"\u{1F600}":{"doubleValue":-0.0}},"name":"documents/c/d","updateTime":"2023-11-14T22:13:21Z"}',
    );
  });

  it('leads references into the database to the one that it is restored to, and leaves others', () => {
    const all = {
      own: { referenceValue: `${LIVING}/documents/c/d` },
      foreign: { referenceValue: 'projects/omni/databases/(default)2/documents/c/d' },
      // A path in the database that looks like a name of another one.
      tricky: { referenceValue: `${LIVING}/documents/projects/p/databases/d/documents/x` },
    };
    const encoded = encodeDocument({ name: `${LIVING}/documents/c/d`, fields: all, ...TIMES }, LIVING);
    const restored = decodeDocument(encoded, OTHER).fields;
    expect(restored['own']!.referenceValue).toBe(`${OTHER}/documents/c/d`);
    expect(restored['foreign']!.referenceValue).toBe(all.foreign.referenceValue);
    expect(restored['tricky']!.referenceValue).toBe(`${OTHER}/documents/projects/p/databases/d/documents/x`);
  });

  it.each([
    ['a kind that is not known', { valueType: 'pipelineValue' }],
    ['no kind', {}],
    ['an integer that is none', { integerValue: '1.5' }],
    ['an integer beyond 64 bits', { integerValue: '9223372036854775808' }],
    ['a time that is none', { timestampValue: { seconds: '253402300800', nanos: 0 } }],
    ['a reference to no document', { referenceValue: `${LIVING}/documents/c` }],
  ])('refuses to capture %s: it would be lost', (_what, raw) => {
    expect(() => encodeBody({ name: `${LIVING}/documents/c/d`, fields: { raw: raw as RawValue } }, LIVING)).toThrow(
      expect.objectContaining({ code: 'source-unsupported' }),
    );
  });

  it('is refused where Holdfast did not write it', () => {
    for (const hostile of HOSTILE) {
      const outcome = attempt(() => decodeDocument(hostile, OTHER));
      expect(outcome, hostile.slice(0, 200)).toMatchObject({ code: 'archive-damaged' });
    }
  });

  it('has a name whatever its fields are called', () => {
    const fields = { name: { stringValue: ',"name":"x"' }, b: { mapValue: { fields: { name: { nullValue: null } } } } };
    const encoded = encodeDocument({ name: `${LIVING}/documents/c/d"`, fields, ...TIMES }, LIVING);
    expect(nameOf(encoded)).toBe('documents/c/d"');
    for (const hostile of ['{}', line('{}', '"documents/c"'), line('{}', '1'), line('{}', '"documents/c/d\\"')])
      expect(() => nameOf(hostile)).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
  });

  it('has no times to be compared by', () => {
    expect(() => bodyOf('{"fields":{},"name":"documents/c/d"}')).toThrow(
      expect.objectContaining({ code: 'archive-damaged' }),
    );
    const field = line('{"a":{"stringValue":",\\"updateTime\\":\\""}}');
    expect(bodyOf(field)).toBe('{"fields":{"a":{"stringValue":",\\"updateTime\\":\\""}},"name":"documents/c/d"}');
  });
});

describe('names', () => {
  it('are in the order that Firestore lists them in', () => {
    const sorted = ['__id-2__', '__id7__', '__id10__', 'A', 'a', 'a!', '\uFFFD', '\u{1F600}'];
    const names = sorted.flatMap((each) => [`documents/c/${each}`, `documents/c/${each}/sub/x`]);
    expect([...names].reverse().sort(compareNames)).toEqual(names);
  });

  it('are ordered as their bytes are', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const order = Buffer.from(left).compare(Buffer.from(right));
        expect(Math.sign(compareText(left, right))).toBe(order);
      }),
    );
  });

  it('tell the kind of collection that a document is in', () => {
    expect(collectionOf('documents/companies/acme/deals/1')).toBe('companies/*/deals');
    expect(collectionOf('documents/companies/acme')).toBe('companies');
    expect(pathOf('documents/companies/acme')).toBe('companies/acme');
  });

  it('of documents alone are taken', () => {
    expect(absoluteName('documents/c/d', OTHER)).toBe(`${OTHER}/documents/c/d`);
    for (const name of ['documents/c', 'c/d', 'documents/c//d/e', '/etc/passwd', 'documents/c/\ud800'])
      expect(() => absoluteName(name, OTHER)).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
  });

  it('of collections become names of directories, each its own', () => {
    expect(collectionDirectory('apiConfigurations')).toBe('apiConfigurations');
    expect(collectionDirectory('a.b%\u00e9')).toBe('a%2Eb%25%C3%A9');
    const [long, longer] = ['x'.repeat(1500), `${'x'.repeat(1499)}y`].map(collectionDirectory);
    expect(long!.length).toBeLessThanOrEqual(255);
    expect(long).not.toBe(longer);
    expect([DOCUMENTS_DIRECTORY, collectionDirectory('leads'), partName(12)].join('/')).toBe(
      'documents/leads/00000012.jsonl',
    );
  });
});

describe('the digest of documents', () => {
  const bodies = ['{"a":1}', '{"b":2}', '{"c":3}'];

  it('does not depend on order, nor on how the documents were spread', () => {
    const all = new DocumentDigest();
    for (const body of bodies) all.update(body);
    const [left, right] = [new DocumentDigest(), new DocumentDigest()];
    right.update(bodies[2]!);
    left.update(bodies[1]!);
    left.update(bodies[0]!);
    left.add(right);
    expect({ hex: left.hex(), documents: left.documents, bytes: left.bytes }).toEqual({
      ...{ hex: all.hex(), documents: 3, bytes: 21 },
    });
  });

  it('tells a document twice from none', () => {
    const [none, twice] = [new DocumentDigest(), new DocumentDigest()];
    for (const body of [bodies[0]!, bodies[0]!]) twice.update(body);
    expect(none.hex()).toBe('0'.repeat(64));
    expect(twice.hex()).not.toBe(none.hex());
  });

  it('carries from one digit to the next', () => {
    const digest = new DocumentDigest();
    const expected = Array.from({ length: 50 }, (_, at) => `{"n":${at}}`).reduce((sum, body) => {
      digest.update(body);
      return sum + BigInt(`0x${sha256(body)}`);
    }, 0n);
    expect(digest.hex()).toBe((expected % 2n ** 256n).toString(16).padStart(64, '0'));
  });

  it('is there for each collection, sorted', () => {
    const [all, more] = [new CollectionDigests(), new CollectionDigests()];
    all.of('users').update(bodies[0]!);
    more.of('companies').update(bodies[1]!);
    more.of('users').update(bodies[2]!);
    all.add(more);
    expect(all.summaries().map(({ collection, documents }) => [collection, documents])).toEqual([
      ['companies', 1],
      ['users', 2],
    ]);
  });
});

function sha256(value: string): string {
  return hash('sha256', value);
}

describe('what the manifest says', () => {
  const details = {
    ...{ format: DOCUMENTS_FORMAT, project: 'omni', database: '(default)', readTime: '2026-01-01T00:00:00Z' },
    ...{ digest: DOCUMENT_DIGEST, documents: 0, collections: [] },
  };

  function snapshotWith(more: object): SnapshotReader {
    const manifest = Buffer.from(JSON.stringify({ version: 1, details: { ...details, ...more } }));
    return { id: 'a'.repeat(64), find: async () => ({}), readWhole: async () => manifest } as unknown as SnapshotReader;
  }

  it('is read, with whatever more there is', async () => {
    expect(await readFirestoreDetails(snapshotWith({ more: 1 }))).toEqual({ ...details, more: 1 });
  });

  it('is refused where it is not of a Firestore database, or its digests are of another kind', async () => {
    for (const more of [{ format: 'pg-directory-archive' }, { digest: 'documents-v2' }, { documents: -1 }])
      await expect(readFirestoreDetails(snapshotWith(more))).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});
