import { expect, test } from 'vitest';
import type { DutyContext } from '../duty.ts';
import { memoryDuties } from './memory.ts';

test('memory is given back once, five seconds after the last run has ended', async () => {
  const runs = { ended: 0 };
  const [duty] = memoryDuties({ record: { runs } } as DutyContext);
  expect(duty!.nextMs(0)).toBe(Number.POSITIVE_INFINITY);
  runs.ended = 1;
  expect(duty!.nextMs(1000)).toBe(6000);
  runs.ended = 2;
  expect([duty!.nextMs(3000), duty!.nextMs(4000)]).toEqual([8000, 8000]);
  await duty!.run(8000, new AbortController().signal);
  expect(duty!.nextMs(9000)).toBe(Number.POSITIVE_INFINITY);
});
