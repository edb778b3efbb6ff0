import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { type EventQuery, Ledger, type LedgerEvent } from './index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const clock = movableClock(Date.parse('2026-03-01T10:00:00Z'));
const startMs = clock.nowMs();
const body = (source: string) => ({ source, code: 'internal', message: 'it failed', durationMs: 1 });
const newFile = () => join(mkdtempSync(join(tmpdir(), 'projection-')), 'ledger', 'id.sqlite');

/** More objects than are read each time, over two days, by three writers. */
const large = new Shelf();

beforeAll(async () => {
  const writers = [1, 2, 3].map(() => new Ledger(large, clock));
  for (let index = 0; index < 270; index++) {
    if (index === 135) clock.advance(DAY_MS);
    // A clock that was set back.
    if (index === 200) clock.advance(-DAY_MS / 2);
    await writers[index % 3]!.append('backup.failed', body(`source${index % 5}`));
    clock.advance(1000);
  }
  await writers[0]!.append('locks.removed', { repository: 'main', locks: [], all: false });
});

/** What the objects say, and what the projection does. */
async function both(shelf: Shelf, file: string, query: EventQuery): Promise<[LedgerEvent[], LedgerEvent[]]> {
  const [plain, projected] = [new Ledger(shelf, clock), new Ledger(shelf, clock, { projectionFile: file })];
  return [await plain.events(query), await projected.events(query)];
}

describe('the projection of a large ledger', () => {
  it('gives what the objects give, in their order, whatever is asked for', async () => {
    const file = newFile();
    const queries: EventQuery[] = [
      {},
      { kinds: ['locks.removed'] },
      { kinds: ['backup.failed'], sources: ['source3'], limit: 7 },
      { sources: [] },
      { actor: '@', limit: 3 },
      { actor: 'nobody else' },
      { sinceMs: startMs + 60_000, untilMs: startMs + DAY_MS },
    ];
    for (const query of queries) {
      const [plain, projected] = await both(large, file, query);
      expect(projected).toEqual(plain);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('reads only what is new, and follows when days are put together', async () => {
    const [shelf, file] = [new Shelf(large.objects), newFile()];
    await new Ledger(shelf, clock, { projectionFile: file }).events({});
    shelf.gets = 0;
    const ledger = new Ledger(shelf, clock, { projectionFile: file });
    await ledger.append('locks.removed', { repository: 'other', locks: [], all: true });
    shelf.gets = 0;
    expect(await ledger.events({ kinds: ['locks.removed'] })).toHaveLength(2);
    expect(shelf.gets).toBe(1);
    clock.advance(3 * DAY_MS);
    // What is left must still be many objects, for the projection to be asked.
    for (let index = 0; index < 260; index++) await ledger.append('backup.failed', body('more'));
    const before = await new Ledger(shelf, clock).events({});
    expect((await new Ledger(shelf, clock).fold()).removed).toBe(272);
    const [plain, projected] = await both(shelf, file, {});
    expect(projected).toEqual(plain);
    expect(projected).toHaveLength(before.length + 1);
  });

  it('is made anew when it was removed, is no database, or was altered', async () => {
    const file = newFile();
    const [plain] = await both(large, file, {});
    writeFileSync(file, 'this is no database, whatever its name says');
    expect((await both(large, file, {}))[1]).toEqual(plain);
    expect((await both(large, file, {}))[1]).toEqual(plain);
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(file);
    database.exec(`UPDATE objects SET sealed = x'00'`);
    database.close();
    expect((await both(large, file, { limit: 5 }))[1]).toEqual(plain.slice(-5));
  });

  it('is never believed over the repository', async () => {
    const file = newFile();
    await both(large, file, {});
    const [shelf, edited] = [new Shelf(large.objects), new Shelf(large.objects)];
    const gone = shelf.names[4]!;
    shelf.objects.delete(gone);
    await expect(new Ledger(shelf, clock, { projectionFile: file }).events({ limit: 1 })).rejects.toMatchObject({
      code: 'repository-damaged',
    });
    expect(existsSync(file)).toBe(false);
    await both(large, file, {});
    edited.edit(gone, { body: body('forged by somebody') });
    await expect(new Ledger(edited, clock, { projectionFile: file }).events({ limit: 1 })).rejects.toMatchObject({
      code: 'repository-damaged',
    });
    const { faults } = await new Ledger(edited, clock, { projectionFile: file }).verify();
    expect(faults).not.toEqual([]);
  });
});
