import fc from 'fast-check';
import { expect, it } from 'vitest';
import { mergedByTime } from './merge.ts';

const timeOf = (minute: number) => new Date(minute * 60_000).toISOString();

it('keeps the order of each record whatever its times are, and that of times where clocks agree', () => {
  const minutes = fc.array(fc.nat(50), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(minutes, { maxLength: 4 }), fc.boolean(), (all, isInOrder) => {
      const given = isInOrder ? all.map((record) => record.toSorted((a, b) => a - b)) : all;
      const records = given.map((record, of) => record.map((minute, at) => ({ of, at, minute, time: timeOf(minute) })));
      const merged = mergedByTime(records);
      expect(merged).toHaveLength(records.flat().length);
      for (const [of, record] of records.entries()) expect(merged.filter((each) => each.of === of)).toEqual(record);
      if (isInOrder) {
        expect(merged.map(({ minute }) => minute)).toEqual(given.flat().toSorted((a, b) => a - b));
      }
    }),
  );
});
