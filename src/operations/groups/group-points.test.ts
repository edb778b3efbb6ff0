import { expect, it } from 'vitest';
import type { StoredSnapshot } from '../../repository/index.ts';
import { overMs } from './group-points.ts';

it('takes a backup of what goes on changing for over at its end, and a dump for of its moment', () => {
  const [began, ended] = ['2026-01-31T10:00:00Z', '2026-01-31T11:00:00Z'];
  const snapshot = (tag: string): StoredSnapshot => ({
    ...{ id: 'a', time: began, tree: 'a', paths: ['/a'], hostname: 'test', tags: ['holdfast', tag] },
    summary: { backup_start: began, backup_end: ended } as NonNullable<StoredSnapshot['summary']>,
  });
  expect(overMs(snapshot('kind:tree'))).toBe(Date.parse(ended));
  expect(overMs(snapshot('kind:base'))).toBe(Date.parse(ended));
  expect(overMs(snapshot('kind:dump'))).toBe(Date.parse(began));
});
