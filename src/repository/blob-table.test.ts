import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BlobType, columnsOf } from '../format/index.ts';
import { BlobEntries, type BlobLocation, BlobTable } from './blob-table.ts';

const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Ids that collide in all but a few bits, as ids of other programs may. */
const similarId = fc.uint8Array({ minLength: 2, maxLength: 2 }).map((bytes) => {
  const similar = new Uint8Array(32);
  similar[31] = (bytes[0]! & 3) << 1;
  similar[16] = bytes[1]! & 3;
  return similar;
});
const uint32 = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const sealedLength = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const entry = fc.record({
  id: fc.oneof(id, similarId),
  type: fc.constantFrom<BlobType>('data', 'tree'),
  packNumber: fc.nat(5),
  offset: fc.nat(2 ** 32 - 1),
  length: sealedLength,
  uncompressedLength: fc.option(uint32, { nil: undefined }),
});

type Entry = typeof entry extends fc.Arbitrary<infer Value> ? Value : never;

describe('the table of blobs', () => {
  it('is a map by type and id, in which the first place of a blob stays', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 100 }), fc.array(fc.oneof(id, similarId)), (entries, others) => {
        const table = BlobTable.withCapacity(entries.length);
        const model = new Map<string, BlobLocation>();
        const nameOf = (of: Uint8Array, type: BlobType): string => `${type} ${Buffer.from(of).toString('hex')}`;
        for (const { id: of, packNumber, type, offset, length, uncompressedLength } of entries) {
          table.add(of, packNumber, { type, offset, length, ...(uncompressedLength && { uncompressedLength }) });
          const name = nameOf(of, type);
          if (!model.has(name)) model.set(name, { packNumber, type, offset, length, uncompressedLength });
        }
        expect(table.count).toBe(model.size);
        const attached = BlobTable.attach(table.shared);
        for (const of of [...entries.map((each) => each.id), ...others]) {
          for (const type of ['data', 'tree'] as const) {
            expect(table.find(of, type)).toEqual(model.get(nameOf(of, type)));
            expect(attached.has(of, type)).toBe(model.has(nameOf(of, type)));
          }
        }
      }),
    );
  });

  it('takes as many as it was made for, and about 50 bytes for each', () => {
    const count = 20_000;
    const table = BlobTable.withCapacity(count);
    const idOf = (index: number): Buffer => {
      const bytes = Buffer.alloc(32);
      bytes.writeUInt32LE((index * 2_654_435_761) % 2 ** 32);
      bytes.writeUInt32LE(index, 8);
      return bytes;
    };
    for (let index = 0; index < count; index++) {
      table.add(idOf(index), index, { type: 'data', offset: index, length: 40 });
    }
    for (let index = 0; index < count; index++) expect(table.find(idOf(index), 'data')?.packNumber).toBe(index);
    expect(table.has(idOf(count), 'data')).toBe(false);
    const { ids, fields, slots } = table.shared;
    expect((ids.byteLength + fields.byteLength + slots.byteLength) / count).toBeLessThan(50);
  });

  it('may be empty', () => {
    expect(BlobTable.withCapacity(0).find(new Uint8Array(32), 'data')).toBeUndefined();
  });
});

describe('the entries of index files', () => {
  const file = fc.array(fc.record({ pack: fc.nat(7), blobs: fc.array(entry, { maxLength: 5 }) }), { maxLength: 5 });
  const packId = (pack: number): string => String(pack).repeat(64);
  const decoded = (packs: { pack: number; blobs: Entry[] }[]) => ({
    packs: packs.map(({ pack, blobs }) => ({
      id: packId(pack),
      blobs: blobs.map(({ id: of, type, offset, length, uncompressedLength }) => ({
        id: Buffer.from(of).toString('hex'),
        type,
        offset,
        length,
        ...(uncompressedLength !== undefined && { uncompressedLength }),
      })),
    })),
  });

  it('make tables that know what each file lists, marked packs only where there is no other', () => {
    fc.assert(
      fc.property(fc.array(file, { maxLength: 4 }), fc.uniqueArray(fc.nat(7)), (files, markedPacks) => {
        const indexFiles = files.map(decoded);
        const marked = new Set(markedPacks.map(packId));
        const entries = BlobEntries.withCapacity(100);
        // The order in which threads come is any.
        const packs = indexFiles.map((each) => entries.put(columnsOf(each))!).toReversed();
        const { table, lasting, packIds } = entries.tables(packs.flat(), marked);
        const listed = indexFiles
          .flatMap((each) => each.packs)
          .flatMap(({ id: pack, blobs }) => blobs.map((blob) => ({ pack, name: `${blob.type} ${blob.id}`, ...blob })));
        const names = new Map(listed.map((blob) => [blob.name, blob]));
        expect(table.count).toBe(names.size);
        expect(lasting.count).toBe(
          new Set(listed.filter(({ pack }) => !marked.has(pack)).map(({ name }) => name)).size,
        );
        for (const { name, id: of, type } of names.values()) {
          const ways = listed.filter((blob) => blob.name === name);
          const allowed = ways.some(({ pack }) => !marked.has(pack))
            ? ways.filter(({ pack }) => !marked.has(pack))
            : ways;
          const found = table.find(Buffer.from(of, 'hex'), type)!;
          const place = {
            pack: packIds[found.packNumber],
            offset: found.offset,
            length: found.length,
            uncompressedLength: found.uncompressedLength,
          };
          expect(
            allowed.map(({ pack, offset, length, uncompressedLength }) => ({
              pack,
              offset,
              length,
              uncompressedLength,
            })),
          ).toContainEqual(place);
          // Of the pack as one of the files lists it.
          const reaches = indexFiles.flatMap((each) =>
            each.packs
              .filter(({ id: pack, blobs }) => pack === place.pack && blobs.some((blob) => blob.id === of))
              .map(({ blobs }) => Math.max(...blobs.map(({ offset, length }) => offset + length))),
          );
          expect(reaches).toContain(table.packEnd(Buffer.from(of, 'hex'), type));
        }
      }),
    );
  });

  it('say where there is no room for more', () => {
    const entries = BlobEntries.withCapacity(1);
    const one = decoded([{ pack: 1, blobs: fc.sample(entry, 1) }]);
    expect(entries.put(columnsOf(one))).toEqual([{ id: packId(1), first: 0 }]);
    expect(entries.put(columnsOf(one))).toBeUndefined();
  });
});
