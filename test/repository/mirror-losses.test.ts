import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { acceptMissing, type MirrorOutcome, promote, prune, retain } from '../../src/operations/index.ts';
import type { FilesSource } from '../../src/plan/index.ts';
import { addKey, LogTail, openRepository, type Repository, removeSnapshot } from '../../src/repository/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { contentOf, expectMirrored, expectWhole, lived, mirrored, OPTIONS } from '../support/lived-mirror.ts';
import { CLUSTER, cloneStore, OWNER } from '../support/log.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import { errorsOf, noise, PASSWORD, testRepository, writeFiles } from '../support/repository.ts';
import { withoutDeletion } from '../support/without-deletion.ts';

describe('a mirror that was made the primary', () => {
  it('is overwritten by nothing that does not know of that: neither its old primary, nor another one made so', async () => {
    const [main, eu, us] = [new MemoryStore(), new MemoryStore(), new MemoryStore()];
    await lived(main);
    for (const store of [eu, us]) await expectMirrored(main, store);
    // Each on a machine that reaches neither of the others.
    const gone = new FaultyStore(new MemoryStore(), () => 'permission-denied');
    for (const store of [eu, us]) {
      expect(await promote(mirroredWorkspace({ main: gone, second: store }), 'second')).toMatchObject({ epoch: 1 });
    }
    const refused = async (from: MemoryStore, to: MemoryStore, message: RegExp) => {
      const before = contentOf(to);
      const outcome = await mirrored(from, to);
      expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'mirror-refused' } });
      expect(outcome.outcome === 'failed' && outcome.error.message).toMatch(message);
      expect(contentOf(to)).toEqual(before);
    };
    await refused(main, eu, /made the primary itself since/);
    await refused(eu, us, /each of them was made the primary/);
    await refused(us, eu, /each of them was made the primary/);
    // What the old one has by itself, of the runs that were refused, stays there and is said.
    const diverged = { error: { code: 'mirror-diverged' } };
    expect(await mirrored(eu, main)).toMatchObject(diverged);
    // One that is made the primary knowing of the others is brought over them, and never the other way round.
    expect(await promote(mirroredWorkspace({ main: eu, second: main }), 'second')).toMatchObject({ epoch: 2 });
    await refused(eu, main, /made the primary itself since/);
    expect(await mirrored(main, eu)).toMatchObject(diverged);
    await refused(main, us, /each of them was made the primary/);
  });

  it('succeeds what was made the primary before it, also where it had not heard of that', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await expectMirrored(main, eu);
    const gone = new FaultyStore(new MemoryStore(), () => 'permission-denied');
    expect(await promote(mirroredWorkspace({ main: gone, second: main }), 'second')).toMatchObject({ epoch: 1 });
    expect(await promote(mirroredWorkspace({ main, second: eu }), 'second')).toMatchObject({ epoch: 2 });
    expect(await mirrored(main, eu)).toMatchObject({ error: { code: 'mirror-refused' } });
    // The old one may become its mirror; what that has alone, of its own promotion, is named.
    expect(await mirrored(eu, main)).toMatchObject({ error: { code: 'mirror-diverged' } });
  });
});

describe('a mirror whose credentials may neither delete nor replace', () => {
  it('follows a log all the same, and promises what it knew before until the next part comes', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const writer = withoutDeletion(eu);
    const tail = new LogTail(await lived(main), OWNER);
    const cover = (time: string) =>
      tail.writeCovered({ system: CLUSTER.system, timeline: 1, lsn: '0/18000', coveredUntil: time });
    await cover('2026-01-31T15:00:00Z');
    expect(await expectMirrored(main, writer)).toMatchObject({ keptObjects: 0 });
    await cover('2026-01-31T16:00:00Z');
    expect(await expectMirrored(main, writer)).toMatchObject({ keptObjects: 1 });
    const mirrored = new LogTail(await openRepository(eu, PASSWORD), OWNER);
    expect(await mirrored.readCovered()).toMatchObject({ coveredUntil: '2026-01-31T15:00:00Z' });
    await expectMirrored(main, eu);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });

  it('fails where something has another content than in the primary', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await expectMirrored(main, eu);
    const pack = [...eu.objects.keys()].find((key) => key.startsWith('data/'))!;
    await eu.put(pack, Buffer.from('other'));
    expect(await mirrored(main, withoutDeletion(eu))).toMatchObject({ error: { code: 'permission-denied' } });
  });
});

describe('what is gone from the primary', () => {
  const source: FilesSource = {
    ...{ name: 'db', type: 'files', repository: 'main', objectives: {}, validate: [], paths: ['/db'], exclude: [] },
    retention: { last: 1 },
  };
  const planned = (stores: Record<string, ObjectStore>) =>
    mirroredWorkspace(stores, { sources: new Map([['db', source]]) });

  /** Two snapshots of `db` with a pack of their own each, mirrored. */
  async function twoSnapshots(main: ObjectStore, eu: ObjectStore): Promise<Repository> {
    const repository = await testRepository(main);
    const tags = ['holdfast', 'source:db', 'kind:tree'];
    for (const day of [1, 2]) {
      const { id, tree } = await writeFiles(repository, { file: noise(90_000, day) }, OPTIONS);
      await removeSnapshot(repository, id);
      const time = `2026-01-0${day}T00:00:00Z`;
      await repository.putDocument('snapshots/', { time, tree, paths: ['/db'], hostname: 'test', tags });
    }
    await expectMirrored(main, eu);
    return repository;
  }

  it('goes from the mirror when retention or a prune said so, and at every instant what is left is whole', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await twoSnapshots(main, eu);
    await retain(planned({ main }), [], { dryRun: false });
    await prune(planned({ main }), [], { dryRun: false });
    let removed = 0;
    for (let n = 0; ; n++) {
      const copy = cloneStore(eu);
      const dying = new FaultyStore(copy);
      let changes = 0;
      dying.rule = ({ method }) => ((method === 'put' || method === 'delete') && changes++ >= n ? 'before' : undefined);
      const original = cloneStore(main);
      const outcome = await mirrored(original, dying);
      await expectWhole(copy);
      if (outcome.outcome === 'failed') {
        await expectMirrored(original, copy);
        expect(contentOf(copy)).toEqual(contentOf(original));
        continue;
      }
      removed = outcome.removedObjects;
      expect(contentOf(copy)).toEqual(contentOf(original));
      break;
    }
    // A snapshot, index files and the packs of one of the two.
    expect(removed).toBeGreaterThanOrEqual(4);
  });

  it('stays where the credentials may not delete, which each run says, and goes with a run of who may', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const writer = withoutDeletion(eu);
    await twoSnapshots(main, writer);
    expect(await expectMirrored(main, writer)).toMatchObject({ copiedObjects: 0, keptObjects: 0 });
    expect([...eu.objects.keys()]).not.toContain('holdfast/mirror-lease');
    await retain(planned({ main }), [], { dryRun: false });
    await prune(planned({ main }), [], { dryRun: false });
    const kept = await expectMirrored(main, writer);
    expect(kept).toMatchObject({
      copiedObjects: expect.any(Number),
      removedObjects: 0,
      keptObjects: expect.any(Number),
    });
    const { keptObjects } = kept as { keptObjects: number };
    expect(keptObjects).toBeGreaterThanOrEqual(4);
    expect(await expectMirrored(main, writer)).toMatchObject({ keptObjects });
    await expectWhole(eu);
    expect(await expectMirrored(main, eu)).toMatchObject({ removedObjects: keptObjects, keptObjects: 0 });
    expect(contentOf(eu)).toEqual(contentOf(main));
  });

  it.each([
    ['a snapshot', 'snapshots/'],
    ['an index file', 'index/'],
    ['a pack', 'data/'],
    ['a password', 'keys/'],
    ['an event of the ledger', 'holdfast/ledger/'],
    ['a part of a log', 'holdfast/tail/'],
  ])('stays in the mirror when nobody said so, and is an alarm: %s', async (_, prefix) => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const repository = await lived(main);
    const password = await addKey(repository, 'another', systemClock, { N: 2, r: 1, p: 1 });
    const { ledger } = await mirroredWorkspace({ main }).open('main');
    await ledger.append('key.added', { repository: 'main', key: 'the last of its writer' });
    await expectMirrored(main, eu);
    const last = [...main.objects.keys()].findLast((each) => each.startsWith(prefix))!;
    const key = prefix === 'keys/' ? `keys/${password}` : last;
    main.objects.delete(key);
    const kept = cloneStore(eu);
    const outcome = await mirrored(main, eu);
    expect(outcome).toMatchObject({ outcome: 'failed' });
    for (const each of kept.objects.keys()) expect(eu.objects.has(each), each).toBe(true);
    const { error } = outcome as Extract<MirrorOutcome, { outcome: 'failed' }>;
    expect(error.message).toContain(prefix === 'holdfast/ledger/' ? 'ledger' : key);
  });

  it('is not what a wiped primary takes with it, however it was wiped', async () => {
    const main = new MemoryStore();
    const eu = new MemoryStore();
    await lived(main);
    await expectMirrored(main, eu);
    const before = contentOf(eu);
    const wiped = [
      (_key: string) => true,
      (key: string) => key !== 'config' && !key.startsWith('keys/'),
      (key: string) => key.startsWith('data/') || key.startsWith('holdfast/'),
    ];
    for (const isGone of wiped) {
      const rest = cloneStore(main);
      for (const key of [...rest.objects.keys()].filter(isGone)) rest.objects.delete(key);
      expect(await mirrored(rest, eu)).toMatchObject({ outcome: 'failed' });
      for (const [key, bytes] of Object.entries(before)) expect(contentOf(eu)[key]).toBe(bytes);
    }
    // And a new one in its place is another repository.
    const anew = new MemoryStore();
    await testRepository(anew);
    expect(await mirrored(anew, eu)).toMatchObject({ outcome: 'failed', error: { code: 'mirror-refused' } });
    expect(await errorsOf(await openRepository(eu, PASSWORD))).toEqual([]);
  });

  it('goes from the mirror once a person has said why, who names the mirror where much is gone', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await expectMirrored(main, eu);
    const workspace = () => mirroredWorkspace({ main, eu });
    const accept = (more: object) => acceptMissing(workspace(), { mirror: 'eu', dryRun: false, ...more });
    const [lost, kept] = [...main.objects.keys()].filter((key) => key.startsWith('snapshots/')) as [string, string];
    main.objects.delete(lost);
    const before = contentOf(main);
    expect(await accept({ dryRun: true })).toMatchObject({
      ...{ objects: [lost], snapshots: [{ id: lost.slice(-64) }], needsConfirmation: false, accepted: false },
    });
    for (const more of [{}, { why: ' ' }, { why: 'x', confirm: 'main' }]) {
      await expect(accept(more)).rejects.toMatchObject({ code: 'bad-usage' });
    }
    expect(contentOf(main)).toEqual(before);
    expect(await mirrored(main, eu)).toMatchObject({ error: { code: 'mirror-diverged' } });
    expect(await accept({ why: 'Ann tidied up' })).toMatchObject({ objects: [lost], accepted: true });
    expect(await expectMirrored(main, eu)).toMatchObject({ removedObjects: 1 });
    expect(contentOf(eu)).toEqual(contentOf(main));
    const events = await (await workspace().open('main')).ledger.read();
    expect(events.find(({ kind }) => kind === 'missing.accepted')).toMatchObject({
      ...{ actor: expect.stringContaining('@'), body: { mirror: 'eu', objects: [lost], why: 'Ann tidied up' } },
    });

    // More than a quarter is gone, though a snapshot is left.
    const emptied = cloneStore(main);
    for (const key of emptied.objects.keys()) if (key.startsWith('data/')) emptied.objects.delete(key);
    const much = { mirror: 'eu', why: 'x', dryRun: false };
    await expect(acceptMissing(mirroredWorkspace({ main: emptied, eu }), much)).rejects.toThrow(
      /0 of its snapshots among them/,
    );

    // No snapshot is left: whoever did that may have done it to all.
    main.objects.delete(kept);
    await expect(accept({ why: 'x' })).rejects.toThrow(/1 of its snapshots among them/);
    expect(await accept({ dryRun: true })).toMatchObject({ needsConfirmation: true });
    expect(await mirrored(main, eu)).toMatchObject({ error: { code: 'mirror-diverged' } });
    expect(eu.objects.has(kept)).toBe(true);
    expect(await accept({ why: 'x', confirm: 'eu' })).toMatchObject({ objects: [kept] });
    await expectMirrored(main, eu);
    expect(eu.objects.has(kept)).toBe(false);
    expect(await accept({ why: 'x' })).toMatchObject({ objects: [], accepted: false });
  });

  it('stays when an event names it and an index still needs it', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await twoSnapshots(main, eu);
    const packs = [...main.objects.keys()].filter((key) => key.startsWith('data/'));
    const { ledger } = await mirroredWorkspace({ main }).open('main');
    // A prune that announced and died, and whose packs were found to be needed by the next.
    await ledger.append('prune.removing', {
      repository: 'main',
      packs: packs.map((key) => key.slice(-64)),
      indexes: [...main.objects.keys()].filter((key) => key.startsWith('index/')).map((key) => key.slice(-64)),
    });
    main.objects.delete(packs[0]!);
    expect(await mirrored(main, eu)).toMatchObject({ outcome: 'failed', error: { code: 'mirror-diverged' } });
    expect(eu.objects.has(packs[0]!)).toBe(true);
    await expectWhole(eu);
  });
});
