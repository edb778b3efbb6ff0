import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { HoldfastError } from '../foundation/errors.ts';
import { Journal, Ledger, Recorder } from '../ledger/index.ts';
import { KnownRuns } from '../operations/index.ts';
import { DaemonRecord } from './daemon-record.ts';

const HOUR_MS = 3_600_000;

test('what waits for a repository that was away goes there once it is back, though another one took what came after', async () => {
  const clock = movableClock(Date.parse('2026-03-01T10:00:00Z'));
  const shelves = { first: new Shelf(), second: new Shelf() };
  const directory = mkdtempSync(join(tmpdir(), 'journal-'));
  let isAway = true;
  const homes = (['first', 'second'] as const).map((name) => {
    const ledger = new Ledger(shelves[name], clock);
    const putChained = ledger.putChained.bind(ledger);
    // It is known to be away only when something is put.
    ledger.putChained = async (...given) => {
      if (isAway && name === 'first') throw new HoldfastError('store-unreachable', 'it is away');
      await putChained(...given);
    };
    const open = async () => ({ ledger, conditionalPut: true });
    return { name, open, journal: new Journal(join(directory, name)) };
  });
  const log = { info() {}, warn() {}, error() {} };
  const record = new DaemonRecord({ runs: new KnownRuns(), recorder: new Recorder(homes, clock), clock, log });
  const started = (run: string) => record.append('run.started', { run, task: 'backup:db', attempt: 1 });
  await started('a');
  await started('b');
  const runsOf = async (name: 'first' | 'second') =>
    (await new Ledger(shelves[name], clock).read()).map(({ body }) => (body as { run: string }).run);
  expect([await runsOf('first'), await runsOf('second')]).toEqual([[], ['b']]);
  isAway = false;
  clock.advance(HOUR_MS);
  expect(record.nextMs).toBeLessThanOrEqual(clock.nowMs());
  await record.write();
  expect(await runsOf('first')).toEqual(['a']);
  expect(record.nextMs).toBe(Number.POSITIVE_INFINITY);
});
