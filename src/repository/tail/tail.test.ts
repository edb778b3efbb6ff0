import { describe, expect, it } from 'vitest';
import { CLUSTER, OWNER, segments, writeTail } from '../../../test/support/log.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { compress, seal, unseal } from '../../format/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { LogTail } from './tail.ts';
import { TAIL_OBJECT_LIMIT_BYTES } from './tail-object.ts';

async function written() {
  const store = new MemoryStore();
  const repository = await testRepository(store);
  const tail = new LogTail(repository, OWNER);
  const range = segments(0, 1);
  const key = await writeTail(repository, range);
  const [entry] = (await tail.list()).entries;
  /** Seals something else in the place of the part. @param header with what is to be other than it was written */
  const replace = (header: object, bytes: Buffer): void => {
    const plain = unseal(repository.key, store.objects.get(key)!.bytes);
    const said = JSON.parse(plain.toString('utf8', 0, plain.indexOf('\n')));
    const content = Buffer.concat([Buffer.from(`${JSON.stringify({ ...said, ...header })}\n`), compress(bytes)]);
    store.objects.set(key, { bytes: seal(repository.key, content), modifiedMs: 0 });
  };
  return { store, repository, tail, entry: entry!, replace };
}

describe('a part of a tail, also one that was sealed with the key of its repository,', () => {
  it('is damaged where it holds more or less than its name says', async () => {
    const { tail, entry, replace } = await written();
    for (const length of [Number(entry.end - entry.start) - 1, Number(entry.end - entry.start) + 1]) {
      replace({}, Buffer.alloc(length));
      const says = expect.stringContaining('too much or too little');
      await expect(tail.read(entry)).rejects.toMatchObject({ code: 'repository-damaged', message: says });
    }
  });

  it('fills no more memory than any part that was ever written', async () => {
    const { tail, entry, replace } = await written();
    replace({}, Buffer.alloc(TAIL_OBJECT_LIMIT_BYTES + 1));
    const says = expect.stringMatching(`^${entry.key} is damaged: compressed data`);
    await expect(tail.read(entry)).rejects.toMatchObject({ code: 'repository-damaged', message: says });
  });

  it('is left to a later version where that wrote it', async () => {
    const { tail, entry, replace } = await written();
    replace({ version: 3 }, Buffer.alloc(Number(entry.end - entry.start)));
    await expect(tail.read(entry)).rejects.toMatchObject({ code: 'repository-unsupported' });
  });
});

describe('what lies beside the parts of a tail', () => {
  it('says how a timeline came about in its own place alone', async () => {
    const { store, tail } = await written();
    await tail.writeHistory(CLUSTER.system, 2, { name: '00000002.history', bytes: Buffer.from('1\t0/100') });
    const [second] = (await tail.list()).histories;
    expect((await tail.readHistory(second!)).bytes.toString()).toBe('1\t0/100');
    const moved = second!.key.replace('00000002', '00000003');
    await store.put(moved, await store.get(second!.key));
    const third = (await tail.list()).histories.find(({ key }) => key === moved);
    const says = expect.stringContaining('moved here');
    await expect(tail.readHistory(third!)).rejects.toMatchObject({ code: 'repository-damaged', message: says });
  });

  it('says until when the log of its own source is all that there is', async () => {
    const { store, repository, tail } = await written();
    const covered = { system: CLUSTER.system, timeline: 1, lsn: '0/100', coveredUntil: '2026-01-31T15:00:00Z' };
    await tail.writeCovered(covered);
    expect(await tail.readCovered()).toEqual(covered);
    const other = new LogTail(repository, { ...OWNER, source: 'other' });
    expect(await other.readCovered()).toBeUndefined();
    await store.put(`${other.prefix}covered`, await store.get(`${tail.prefix}covered`));
    await expect(other.readCovered()).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});
