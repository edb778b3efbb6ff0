import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringifyExactJson } from './exact-json.ts';
import { columnsOf, FIELDS, ID_BYTES, type IndexColumns, indexText, scanIndexFile } from './index-columns.ts';
import { decodeIndexFile, encodeIndexFile } from './index-file.ts';

const id = fc
  .uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const uint32 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const blob = fc.record(
  {
    id,
    type: fc.constantFrom('data' as const, 'tree' as const),
    offset: uint32,
    length: fc.nat(2 ** 31 - 1),
    uncompressedLength: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  },
  { requiredKeys: ['id', 'type', 'offset', 'length'] },
);
const indexFile = fc.record({ packs: fc.array(fc.record({ id, blobs: fc.array(blob, { maxLength: 5 }) })) });
const text = (value: unknown): Buffer => Buffer.from(stringifyExactJson(value));

function filled({ packs, ids, fields, count }: IndexColumns): unknown {
  return {
    packs,
    ids: Buffer.from(ids.subarray(0, count * ID_BYTES)),
    fields: [...fields.subarray(0, count * FIELDS)],
  };
}

describe('an index file that is scanned', () => {
  it('is read as the decoder reads it', () => {
    fc.assert(
      fc.property(indexFile, fc.array(id), (file, supersedes) => {
        const json = text({ ...(supersedes.length > 0 && { supersedes }), ...(encodeIndexFile(file) as object) });
        const decoded = decodeIndexFile(JSON.parse(json.toString()));
        expect(filled(scanIndexFile(json)!)).toEqual(filled(columnsOf(decoded)));
      }),
    );
  });

  it('is written as the encoder writes it', () => {
    fc.assert(
      fc.property(fc.array(indexFile, { maxLength: 3 }), (files) => {
        const together = { packs: files.flatMap(({ packs }) => packs) };
        expect(indexText(files.map(columnsOf)).toString()).toBe(text(encodeIndexFile(together)).toString());
      }),
    );
  });

  it('uses old columns again where they are long enough', () => {
    const [small, large] = [1, 3].map(
      (packs) =>
        fc.sample(
          fc.record({
            packs: fc.array(fc.record({ id, blobs: fc.array(blob, { minLength: 4, maxLength: 4 }) }), {
              minLength: packs,
              maxLength: packs,
            }),
          }),
          1,
        )[0]!,
    );
    const used = scanIndexFile(text(encodeIndexFile(large!)))!;
    const again = scanIndexFile(text(encodeIndexFile(small!)), used)!;
    expect(again.ids.buffer).toBe(used.ids.buffer);
    expect(filled(again)).toEqual(filled(columnsOf(small!)));
    expect(filled(scanIndexFile(text(encodeIndexFile(large!)), scanIndexFile(text(encodeIndexFile(small!))))!)).toEqual(
      filled(columnsOf(large!)),
    );
  });

  it.each([
    ['spaces', (json: string) => json.replace('"blobs":', '"blobs": ')],
    ['another order', (json: string) => json.replace(/("type":"data"),("offset":\d+)/, '$2,$1')],
    ['a field that is not known', (json: string) => json.replace('"offset"', '"extra":1,"offset"')],
    ['large letters in an id', (json: string) => json.replaceAll('a', 'A').replaceAll('dAtA', 'data')],
    ['a leading zero', (json: string) => json.replace('"offset":', '"offset":0')],
    ['a fraction', (json: string) => json.replace('"offset":', '"offset":1.')],
    ['a number beyond 32 bits', (json: string) => json.replace('"offset":', '"offset":4294967296')],
    ['a length beyond 31 bits', (json: string) => json.replace('"length":', '"length":4294967')],
    ['something after the end', (json: string) => `${json} `],
    ['an end too early', (json: string) => json.slice(0, -1)],
    ['nothing', () => ''],
  ])('is left to the decoder where it has %s', (_what, change) => {
    const one = {
      id: 'ab'.repeat(32),
      blobs: [{ id: 'cd'.repeat(32), type: 'data' as const, offset: 7, length: 99999 }],
    };
    const json = text(encodeIndexFile({ packs: [one] })).toString();
    expect(scanIndexFile(Buffer.from(json))).toBeDefined();
    expect(change(json)).not.toBe(json);
    expect(scanIndexFile(Buffer.from(change(json)))).toBeUndefined();
  });

  it('never reads anything else than the decoder does, whatever is changed', () => {
    fc.assert(
      fc.property(indexFile, fc.nat(), fc.nat(255), (file, at, byte) => {
        const json = text(encodeIndexFile(file));
        json[at % json.length] = byte;
        const scanned = scanIndexFile(json);
        if (scanned !== undefined) {
          expect(filled(scanned)).toEqual(filled(columnsOf(decodeIndexFile(JSON.parse(json.toString())))));
        }
      }),
    );
  });
});
