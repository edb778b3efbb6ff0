import { describe, expect, it } from 'vitest';
import { chooseCoordinated, coordinatedTag, type DatedSnapshot } from './coordinated.ts';

function taken(source: string, timeMs: number, run?: string): DatedSnapshot {
  const tags = ['holdfast', `source:${source}`, ...(run === undefined ? [] : [coordinatedTag('shop', run)])];
  const id = `${source}-${timeMs}`;
  const time = new Date(timeMs).toISOString();
  return { timeMs, snapshot: { id, time, tags, tree: id, paths: [`/${source}`], hostname: 'test' } };
}

const chosen = (...candidates: DatedSnapshot[][]): string[] | undefined => {
  const together = chooseCoordinated('shop', candidates);
  return together && [...together.values()].map(({ id }) => id);
};

describe('backups that were taken together', () => {
  it('are meant where the oldest part of the group is one of them', () => {
    const db = [taken('db', 100, 'a'), taken('db', 900)];
    const files = [taken('files', 110, 'a')];
    expect(chosen(db, files)).toEqual(['db-100', 'files-110']);
  });

  it('are not where every source has something newer, nor where one of them has gone or is of another group', () => {
    expect(
      chosen([taken('db', 100, 'a'), taken('db', 900)], [taken('files', 110, 'a'), taken('files', 800)]),
    ).toBeUndefined();
    expect(chosen([taken('db', 900)], [taken('files', 110, 'a')])).toBeUndefined();
    const other = taken('files', 110);
    other.snapshot.tags?.push('group:shopping:a');
    expect(chosen([taken('db', 100, 'a')], [other])).toBeUndefined();
    expect(chosen([taken('db', 100, 'a')], [])).toBeUndefined();
  });
});
