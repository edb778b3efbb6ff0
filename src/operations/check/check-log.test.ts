import { describe, expect, it } from 'vitest';
import { logBytes, OWNER, segments, writeTail } from '../../../test/support/log.ts';
import { testRepository } from '../../../test/support/repository.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { LogTail, listSnapshots, lsnText, type Repository } from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { checkLog } from './check-log.ts';

const moment = (index: number) => `2026-01-31T14:03:0${index}.000Z`;
const OBJECTS = 5;

/** A log of five objects of a segment each, from segment 3 on. */
async function begin() {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const repository = await testRepository(store);
  const keys: string[] = [];
  for (let index = 0; index < OBJECTS; index++) {
    keys.push(await writeTail(repository, segments(3 + index, 4 + index), { coveredUntil: moment(index) }));
  }
  return { memory, store, repository, keys, tail: new LogTail(repository, OWNER) };
}

function check(repository: Repository, events: unknown[] = []) {
  const inputs = {
    repository,
    snapshots: () => listSnapshots(repository),
    events: async () => events as LedgerEvent[],
  };
  return checkLog(inputs, OWNER);
}

async function findingsOf(repository: Repository, events?: unknown[]) {
  return (await check(repository, events)).findings;
}

const covered = { system: '7391', timeline: 1, lsn: lsnText(segments(0, 8).end), coveredUntil: moment(9) };
const history = { name: '00000002.history', bytes: Buffer.from('1\t0/60000\tfailover\n') };

describe('a check of a log', () => {
  it('reads all of its tail, and finds nothing where nothing is', async () => {
    const { repository, tail, store } = await begin();
    await tail.writeCovered(covered);
    await writeTail(repository, segments(7.5, 9));
    await tail.writeHistory('7391', 2, history);
    store.calls.length = 0;
    expect(await check(repository)).toMatchObject({ objects: OBJECTS + 3, findings: [] });
    expect(store.calls.filter(({ method }) => method === 'get')).toHaveLength(OBJECTS + 3);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['a changed byte', (bytes) => bytes.with(40, bytes[40]! ^ 1)],
    ['a missing end', (bytes) => bytes.subarray(0, -1)],
    ['nothing in it', () => new Uint8Array()],
  ])('names a part that has %s, with its place and its moments', async (_, damage) => {
    const { repository, memory, keys } = await begin();
    const object = memory.objects.get(keys[2]!)!;
    object.bytes = damage(object.bytes);
    const [finding, ...more] = await findingsOf(repository);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      severity: 'error',
      where: keys[2],
      message: expect.stringMatching(/^it is damaged: .*0\/50000 to 0\/60000 on timeline 1.*later moments/),
      log: {
        ...{ plan: 'shop', source: 'db', system: '7391', timeline: 1, start: '0/50000', end: '0/60000' },
        // Its own moment lies in it.
        ...{ after: moment(1), until: moment(3) },
      },
    });
  });

  it('says of a damaged part that another one has it as well', async () => {
    const { repository, memory, keys } = await begin();
    await writeTail(repository, segments(4.5, 6));
    memory.objects.get(keys[2]!)!.bytes[40]! ^= 1;
    const findings = await findingsOf(repository);
    expect(findings.map(({ message }) => message)).toEqual([expect.stringContaining('in another object or snapshot')]);
  });

  it('names an object that was moved, and bytes that two parts have otherwise', async () => {
    const { repository, memory, keys } = await begin();
    await writeTail(repository, segments(4.5, 5.5), { bytes: logBytes(segments(4, 5)) });
    memory.objects.set(keys[0]!, memory.objects.get(keys[4]!)!);
    const findings = await findingsOf(repository);
    expect(findings.map(({ where }) => where)).toEqual(expect.arrayContaining([keys[0], keys[2]]));
    expect(findings.map(({ message }) => message).join('\n')).toMatch(/otherwise than.*moved here/s);
  });

  it('finds a hole that nobody recorded, with its moments, and no other one', async () => {
    const { repository, memory, keys } = await begin();
    memory.objects.delete(keys[1]!);
    memory.objects.delete(keys[2]!);
    const [finding] = await findingsOf(repository);
    expect(finding).toMatchObject({
      severity: 'error',
      message: expect.stringMatching(/from 0\/40000 to 0\/60000 .*no gap was recorded/),
      log: { start: '0/40000', end: '0/60000', after: moment(0), until: moment(3) },
    });
    const gap = { source: 'db', system: '7391', timeline: 1, start: '0/40000', end: '0/60000', reason: '' };
    expect(await findingsOf(repository, [{ kind: 'log.gap', body: gap }])).toEqual([]);
    const another = { ...gap, system: '1' };
    expect(await findingsOf(repository, [{ kind: 'log.gap', body: another }])).toHaveLength(1);
  });

  it('finds what is missing at the end, by what was said of it before', async () => {
    const { repository, memory, keys, tail } = await begin();
    memory.objects.delete(keys[4]!);
    expect(await findingsOf(repository)).toEqual([]);
    const stopped = { source: 'db', system: '7391', timeline: 1, lsn: '0/80000' };
    const found = await findingsOf(repository, [{ kind: 'follow.stopped', body: stopped }]);
    expect(found).toMatchObject([{ log: { start: '0/70000', end: '0/80000', after: moment(3) } }]);
    await tail.writeCovered(covered);
    expect(await findingsOf(repository)).toMatchObject([{ log: { start: '0/70000', until: moment(9) } }]);
    for (const key of keys) memory.objects.delete(key);
    expect(await findingsOf(repository)).toMatchObject([
      { message: expect.stringContaining('nothing of it is there') },
    ]);
    const decided = { kind: 'retention.decided', body: { source: 'db', removed: [] } };
    expect(await findingsOf(repository, [decided])).toEqual([]);
  });

  it('finds a timeline without its history, and a damaged history and moment', async () => {
    const { repository, memory, tail } = await begin();
    await writeTail(repository, segments(7, 9, 2));
    expect(await findingsOf(repository)).toMatchObject([{ message: expect.stringContaining('history of timeline 2') }]);
    await tail.writeHistory('7391', 2, history);
    await tail.writeCovered({ ...covered, timeline: 2 });
    expect(await findingsOf(repository)).toEqual([]);
    for (const name of ['7391/00000002/history', 'covered']) memory.objects.get(tail.prefix + name)!.bytes[40]! ^= 1;
    const findings = await findingsOf(repository);
    expect(findings.map(({ where }) => where)).toEqual([
      `${tail.prefix}covered`,
      `${tail.prefix}7391/00000002/history`,
    ]);
    await memory.put(`${tail.prefix}stray`, Buffer.alloc(1));
    expect((await findingsOf(repository)).at(-1)).toMatchObject({ severity: 'note', where: `${tail.prefix}stray` });
  });

  it('believes a hole only when it is there on a second look', async () => {
    const { repository, store, memory, keys } = await begin();
    const { bytes } = memory.objects.get(keys[1]!)!;
    memory.objects.delete(keys[1]!);
    let listings = 0;
    store.rule = ({ method, key }) => {
      if (method === 'list' && key.startsWith('holdfast/tail/') && ++listings === 2) void memory.put(keys[1]!, bytes);
      return undefined;
    };
    expect(await findingsOf(repository)).toEqual([]);
  });
});
