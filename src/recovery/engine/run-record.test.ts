import { expect, it } from 'vitest';
import { RecoveryWorld } from '../../../test/support/recovery.ts';
import { LEDGER_PREFIX } from '../../repository/layout.ts';
import { RunRecord } from './run-record.ts';

it('reads what is new alone for a process that asks again and again', async () => {
  const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }']);
  const { workspace, stores } = world.process();
  const { main } = stores;
  let objects = 0;
  const get = main!.get.bind(main);
  main!.get = async (key, range) => {
    if (key.startsWith(LEDGER_PREFIX)) objects++;
    return get(key, range);
  };
  const read = async (): Promise<string[]> => {
    const events = await world.time.run(new RunRecord(workspace).read());
    return events.map(({ body }) => ('text' in body ? String(body.text) : ''));
  };
  const note = (text: string) =>
    world.time.run(new RunRecord(workspace).append('incident.noted', { incident: 'one', text }));
  const texts = Array.from({ length: 20 }, (_, index) => `note ${index}`);
  for (const text of texts) await note(text);
  expect(await read()).toEqual(texts);
  objects = 0;
  expect(await read()).toEqual(texts);
  expect(objects).toBe(0);
  await note('the last');
  objects = 0;
  expect(await read()).toEqual([...texts, 'the last']);
  expect(objects).toBe(1);
});
