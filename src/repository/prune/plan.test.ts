import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobType, IndexFile } from '../../format/index.ts';
import { MAX_UNUSED_SHARE, type PrunePlan, planPrune, sizeOf } from './plan.ts';

type Pack = IndexFile['packs'][number];

function idOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** A pack of blobs `name:length`; a name that begins with `t` is a tree's. */
function pack(name: string, blobs: string[]): Pack {
  let offset = 0;
  return {
    id: name,
    blobs: blobs.map((text) => {
      const [blob = '', length = '1000'] = text.split(':');
      offset += Number(length);
      return { id: idOf(blob), type: typeOf(blob), offset: offset - Number(length), length: Number(length) };
    }),
  };
}

function typeOf(blob: string): BlobType {
  return blob.startsWith('t') ? 'tree' : 'data';
}

function plan(
  packs: Pack[],
  used: string[],
  { sizes = {}, marked = [] }: { sizes?: Record<string, number | undefined>; marked?: string[] } = {},
): PrunePlan {
  const known = new Set(used.map((blob) => `${typeOf(blob)} ${idOf(blob)}`));
  const has = (id: Uint8Array, type: BlobType) => known.has(`${type} ${Buffer.from(id).toString('hex')}`);
  const all = new Map(packs.map((each) => [each.id, sizeOf(each)]));
  for (const [id, size] of Object.entries(sizes)) {
    if (size === undefined) all.delete(id);
    else all.set(id, size);
  }
  return planPrune({ packs, sizes: all }, { has }, new Set(marked));
}

const removed = ({ remove }: PrunePlan) => remove.map(({ id }) => id).sort();
const copied = ({ repack }: PrunePlan) => repack.map(({ id }) => id).sort();

describe('what is to be pruned', () => {
  it('is nothing where all is used', () => {
    expect(plan([pack('A', ['a', 'b']), pack('B', ['c'])], ['a', 'b', 'c'])).toEqual({
      remove: [],
      repack: [],
      leftUnusedBytes: 0,
    });
  });

  it('is every pack of which nothing is used, and every one that no index knows', () => {
    const result = plan([pack('A', ['a', 'b']), pack('B', ['c'])], ['a', 'b'], { sizes: { orphan: 500 } });
    expect(removed(result)).toEqual(['B', 'orphan']);
    expect(result.remove.find(({ id }) => id === 'orphan')?.sizeBytes).toBe(500);
    expect(copied(result)).toEqual([]);
  });

  it('is a pack whose blobs others hold, once: of two copies one stays', () => {
    const result = plan([pack('A', ['a', 'b', 'c']), pack('B', ['a', 'b']), pack('C', ['a', 'x'])], ['a', 'b', 'c']);
    expect(removed(result)).toEqual(['B', 'C']);
    expect(copied(result)).toEqual([]);
  });

  it('tells a tree from a file of the same bytes', () => {
    const twin: Pack = { id: 'B', blobs: [{ id: idOf('t1'), type: 'data', offset: 0, length: 1000 }] };
    expect(removed(plan([pack('A', ['t1']), twin], ['t1']))).toEqual(['B']);
  });

  it('leaves what is not worth copying, and copies first what frees most for what is copied', () => {
    const large = pack('large', ['a:1000000', 'b:1000000', 'x:50000']);
    expect(plan([large], ['a', 'b'])).toMatchObject({ remove: [], repack: [] });
    const half = pack('half', ['c:200000', 'y:200000']);
    const result = plan([large, half], ['a', 'b', 'c']);
    expect(copied(result)).toEqual(['half']);
    expect(result.repack[0]!.used.map(({ id }) => id)).toEqual([idOf('c')]);
    expect(result.leftUnusedBytes).toBeGreaterThanOrEqual(50_000);
    expect(result.leftUnusedBytes).toBeLessThan(51_000);
  });

  it('copies a pack that mixes trees and data in any case', () => {
    expect(copied(plan([pack('A', ['a', 't1']), pack('B', ['b'])], ['a', 't1', 'b']))).toEqual(['A']);
  });

  it('passes over what is marked already, and copies nothing for its sake', () => {
    const result = plan([pack('A', ['a', 'x']), pack('B', ['a']), pack('C', ['c'])], ['a'], { marked: ['A', 'C'] });
    expect(result).toEqual({ remove: [], repack: [], leftUnusedBytes: 0 });
  });

  it('is refused when a pack that is needed is missing or of another size, and else such a pack goes', () => {
    const packs = [pack('A', ['a']), pack('B', ['b'])];
    for (const size of [undefined, 7]) {
      expect(() => plan(packs, ['a', 'b'], { sizes: { A: size } })).toThrow(
        expect.objectContaining({ code: 'repository-damaged' }),
      );
      expect(removed(plan(packs, ['b'], { sizes: { A: size } }))).toEqual(['A']);
      const twice = [...packs, pack('C', ['a'])];
      expect(removed(plan(twice, ['a', 'b'], { sizes: { A: size } }))).toEqual(['A']);
    }
  });

  it('never loses a used blob, nor leaves more unused than it may, whatever there is', () => {
    const names = fc.constantFrom(
      ...Array.from({ length: 12 }, (_, index) => `${index % 3 === 0 ? 't' : 'd'}${index}`),
    );
    const packs = fc
      .array(fc.array(fc.tuple(names, fc.integer({ min: 40, max: 5000 })), { minLength: 1, maxLength: 6 }), {
        maxLength: 8,
      })
      .map((all) =>
        all.map((blobs, index) =>
          pack(
            `P${index}`,
            blobs.map(([name, size]) => `${name}:${size}`),
          ),
        ),
      );
    fc.assert(
      fc.property(packs, fc.array(names), fc.array(fc.nat(7)), (all, wanted, markedNumbers) => {
        const held = new Set(all.flatMap(({ blobs }) => blobs.map(({ id }) => id)));
        const used = wanted.filter((name) => held.has(idOf(name)));
        const marked = new Set(markedNumbers.map((number) => `P${number}`));
        const result = plan(all, used, { marked: [...marked] });
        const going = new Set([...removed(result), ...copied(result)]);
        const keyOf = ({ id, type }: { id: string; type: string }) => `${type} ${id}`;
        const lasting = all.filter(({ id }) => !going.has(id) && !marked.has(id)).flatMap(({ blobs }) => blobs);
        const safe = new Set([...lasting, ...result.repack.flatMap((each) => each.used)].map(keyOf));
        const onlyMarked = (name: string) =>
          !all.some(({ id, blobs }) => !marked.has(id) && blobs.some((blob) => blob.id === idOf(name)));
        for (const name of used) {
          expect(safe.has(`${typeOf(name)} ${idOf(name)}`) || onlyMarked(name), name).toBe(true);
        }
        const staying = all.filter(({ id }) => !going.has(id) && !marked.has(id));
        const usedBytes = staying.reduce((sum, each) => sum + sizeOf(each), 0) - result.leftUnusedBytes;
        const copiedBytes = result.repack.reduce((sum, each) => sum + each.usedBytes, 0);
        const share = result.leftUnusedBytes / (usedBytes + copiedBytes + result.leftUnusedBytes || 1);
        expect(share).toBeLessThanOrEqual(MAX_UNUSED_SHARE + 1e-9);
        for (const id of going) expect(marked.has(id)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
