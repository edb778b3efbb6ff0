import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compress, decompress } from './compression.ts';
import { decodeConfig, encodeConfig, newConfig } from './config.ts';
import { stringifyExactJson } from './exact-json.ts';
import { decodeIndexFile, encodeIndexFile, type IndexFile } from './index-file.ts';
import { newSealingKey } from './key-file.ts';
import { decodeLockFile } from './lock-file.ts';
import { sealJson, unsealJson } from './sealed-json.ts';
import { seal } from './sealing.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';

const key = newSealingKey();
const damaged = expect.objectContaining({ code: 'repository-damaged' });
const ID = 'ab'.repeat(32);
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const uint32 = fc.integer({ min: 1, max: 2 ** 32 - 1 });

/** What is not expected must be refused as damage, and nothing else may happen. */
function refusesOrReads(
  read: (document: unknown) => unknown,
  members: string[],
  refusals: string[] = ['repository-damaged'],
): void {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(ID, '2024-01-01T00:00:00Z', [], 0, -1));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...members), value)), (document) => {
      try {
        read(document);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.toBeOneOf(refusals) });
      }
    }),
    { numRuns: 500 },
  );
}

describe('a sealed document', () => {
  it.each([1, 2] as const)('comes back in format %d', (version) => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const text = stringifyExactJson(unsealJson(key, sealJson(key, value, version)));
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('is refused when its encoding is unknown', () => {
    for (const plain of ['', '\x03{}', ' {}']) {
      expect(() => unsealJson(key, seal(key, Buffer.from(plain)))).toThrow(
        expect.objectContaining({ code: 'repository-unsupported' }),
      );
    }
  });

  it.each([
    ['broken JSON', Buffer.from('{"a":')],
    ['deep beyond reason', Buffer.from(`${'['.repeat(200_000)}1234567890123456${']'.repeat(200_000)}`)],
    ['broken zstd', Buffer.from('\x02not zstd')],
    ['cut zstd', Buffer.concat([Buffer.of(2), compress(Buffer.alloc(1000)).subarray(0, -3)])],
  ])('is refused when it is authentic and holds %s', (_, plain) => {
    expect(() => unsealJson(key, seal(key, plain))).toThrow(damaged);
  });
});

describe('compressed data', () => {
  it('comes back, up to the limit and no further', () => {
    const zeros = compress(Buffer.alloc(1 << 20));
    expect(decompress(zeros, 1 << 20)).toHaveLength(1 << 20);
    expect(() => decompress(zeros, (1 << 20) - 1)).toThrow(damaged);
    expect(() => decompress(compress(Buffer.alloc(64 << 20)), 1000)).toThrow(damaged);
  });
});

describe('an index file', () => {
  const blob = fc.record(
    {
      id,
      type: fc.constantFrom('data' as const, 'tree' as const),
      offset: uint32,
      length: fc.nat(2 ** 31 - 1),
      uncompressedLength: uint32,
    },
    { requiredKeys: ['id', 'type', 'offset', 'length'] },
  );
  const unknown = fc.record({ time: fc.constant('2024-01-01T00:00:00.123456789+02:00'), size: uint32 });
  const pack = fc.record({ id, blobs: fc.array(blob), unknown }, { requiredKeys: ['id', 'blobs'] });
  const index = fc.record(
    { packs: fc.array(pack), packsToDelete: fc.array(pack, { minLength: 1 }) },
    { requiredKeys: ['packs'] },
  );

  it('comes back', () => {
    fc.assert(
      fc.property(index, (file) => {
        expect(decodeIndexFile(JSON.parse(JSON.stringify(encodeIndexFile(file as IndexFile))))).toEqual(file);
      }),
    );
  });

  it('keeps what rustic writes beside the blobs', () => {
    const packs = [{ id: ID, blobs: [], time: '2024-01-01T00:00:00.123456789+02:00', size: 5 }];
    const document = { packs, packs_to_delete: packs };
    expect(encodeIndexFile(decodeIndexFile(document))).toEqual(document);
  });

  it('may list nothing, or hold what is not known', () => {
    expect(decodeIndexFile({ packs: null, supersedes: [ID], other: 1 })).toEqual({ packs: [] });
  });

  it.each([
    { packs: 5 },
    { packs: [], packs_to_delete: 5 },
    { packs: [], packs_to_delete: [{ id: ID }] },
    { packs: [{ id: ID }] },
    { packs: [{ id: 'x', blobs: [] }] },
    { packs: [{ id: ID, blobs: [{ id: ID, type: 'door', offset: 0, length: 1 }] }] },
    { packs: [{ id: ID, blobs: [{ id: ID, type: 'data', offset: -1, length: 1 }] }] },
    { packs: [{ id: ID, blobs: [{ id: ID, type: 'data', offset: 0, length: 2 ** 32 }] }] },
    { packs: [{ id: ID, blobs: [{ id: ID, type: 'data', offset: 0, length: 1.5 }] }] },
    { packs: [{ id: ID, blobs: [{ id: ID, type: 'data', offset: 0, length: 1, uncompressed_length: '5' }] }] },
  ])('is refused as %j', (document) => {
    expect(() => decodeIndexFile(document)).toThrow(damaged);
  });

  it('never crashes the reader', () => refusesOrReads(decodeIndexFile, ['packs', 'packs_to_delete', 'id', 'blobs']));
});

describe('a snapshot document', () => {
  const document = {
    time: '2024-01-01T00:00:00.123456789+02:00',
    tree: ID,
    paths: ['/a'],
    hostname: 'h',
    tags: ['t'],
    summary: { total_bytes_processed: 5 },
    excludes: ['*.tmp'],
    label: 'from rustic',
    delete: { after: 12345678901234567890n },
  };

  it('keeps every member, known or not', () => {
    expect(encodeSnapshot(decodeSnapshot(document))).toEqual(document);
    expect(decodeSnapshot(document).unknown).toEqual({ label: document.label, delete: document.delete });
  });

  it('may lack what old ones lack', () => {
    expect(decodeSnapshot({ time: document.time, tree: ID, paths: null, tags: null })).toMatchObject({
      paths: [],
      hostname: '',
    });
  });

  it.each([
    { tree: ID },
    { time: 'yesterday', tree: ID },
    { time: document.time },
    { time: document.time, tree: 'x' },
    { time: document.time, tree: ID, tags: 5 },
  ])('is refused as %j', (broken) => {
    expect(() => decodeSnapshot(broken)).toThrow(damaged);
  });

  it('never crashes the reader', () => refusesOrReads(decodeSnapshot, ['time', 'tree', 'paths', 'tags', 'hostname']));
});

describe('a lock document', () => {
  it('never crashes the reader', () => refusesOrReads(decodeLockFile, ['time', 'exclusive', 'hostname', 'pid']));
});

describe('a configuration', () => {
  it('never crashes the reader', () => {
    const members = ['version', 'id', 'chunker_polynomial'];
    const read = (document: unknown) => decodeConfig(key, seal(key, Buffer.from(JSON.stringify(document))));
    refusesOrReads(read, members, ['repository-damaged', 'repository-unsupported']);
    refusesOrReads((document) => read({ ...Object(document), version: 2 }), members);
  });

  it('comes back', () => {
    const config = newConfig();
    expect(decodeConfig(key, encodeConfig(key, config))).toEqual(config);
  });

  it.each([3, { toString: null }, [2 ** 53]])('is refused when its version is not known: %j', (version) => {
    const sealed = seal(key, Buffer.from(JSON.stringify({ version, id: ID, chunker_polynomial: '3' })));
    expect(() => decodeConfig(key, sealed)).toThrow(expect.objectContaining({ code: 'repository-unsupported' }));
  });

  it.each([{}, { version: 2 }, { version: 2, id: ID }, { version: 2, id: 5, chunker_polynomial: '3' }])(
    'is refused as %j',
    (document) => {
      expect(() => decodeConfig(key, seal(key, Buffer.from(JSON.stringify(document))))).toThrow(/./);
    },
  );
});
