import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PackSize, parseSubset, selectPacks } from './subset.ts';

const packs = fc
  .array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 })
  .map((sizes) =>
    sizes.map(
      (sizeBytes, index): PackSize => ({ id: createHash('sha256').update(`${index}`).digest('hex'), sizeBytes }),
    ),
  );

describe('a part of the packs', () => {
  it('is written as a percentage, or as one of so many groups', () => {
    expect(parseSubset('5%')).toEqual({ kind: 'share', fraction: 0.05 });
    expect(parseSubset('100%')).toEqual({ kind: 'share', fraction: 1 });
    expect(parseSubset('2/7')).toEqual({ kind: 'group', group: 2, groups: 7 });
    for (const text of ['', '0%', '101%', '5', '0/3', '4/3', '1/257', '-1/3', '1/0', 'all', '1/2/3']) {
      expect(parseSubset(text), text).toBeUndefined();
    }
  });

  it('goes through all packs over successive runs, each about as large as was asked for', () => {
    fc.assert(
      fc.property(packs, fc.integer({ min: 1, max: 100 }), (all, percent) => {
        const total = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const read = new Set<string>();
        let after: string | undefined;
        for (let run = 0; run < Math.ceil(100 / percent); run++) {
          const selected = selectPacks(all, { kind: 'share', fraction: percent / 100 }, after);
          const bytes = selected.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          expect(bytes).toBeGreaterThanOrEqual((total * percent) / 100 - 1e-6);
          expect(bytes - selected.at(-1)!.sizeBytes).toBeLessThan((total * percent) / 100);
          for (const { id } of selected) read.add(id);
          after = selected.at(-1)!.id;
        }
        expect(read.size).toBe(all.length);
      }),
    );
  });

  it('begins again at the end, and goes on behind a pack that is gone', () => {
    const all = ['aa', 'bb', 'cc'].map((id) => ({ id, sizeBytes: 1 }));
    const share = { kind: 'share', fraction: 0.5 } as const;
    expect(selectPacks(all, share, 'bb').map(({ id }) => id)).toEqual(['cc', 'aa']);
    expect(selectPacks(all, share, 'b0').map(({ id }) => id)).toEqual(['bb', 'cc']);
    expect(selectPacks(all, share, 'ff').map(({ id }) => id)).toEqual(['aa', 'bb']);
    expect(selectPacks([], share)).toEqual([]);
  });

  it('is in groups every pack once', () => {
    fc.assert(
      fc.property(packs, fc.integer({ min: 1, max: 20 }), (all, groups) => {
        const ids = Array.from({ length: groups }, (_, index) =>
          selectPacks(all, { kind: 'group', group: index + 1, groups }).map(({ id }) => id),
        ).flat();
        expect(ids.sort()).toEqual(all.map(({ id }) => id).sort());
      }),
    );
  });
});
