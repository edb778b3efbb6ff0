import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClaimTable, type SharedClaimTable } from './claim-table.ts';

function idOf(text: string | number): Buffer {
  return createHash('sha256').update(String(text)).digest();
}

/** A thread that claims the ids of `from` to `to`, beginning somewhere, and says which it was given. */
function claimInThread(shared: SharedClaimTable, count: number, start: number, gate: SharedArrayBuffer) {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { createHash } = require('node:crypto');
    import(workerData.module).then(({ ClaimTable }) => {
      const table = ClaimTable.attach(workerData.shared);
      const ids = Array.from({ length: workerData.count }, (_, n) => createHash('sha256').update(String(n)).digest());
      const gate = new Int32Array(workerData.gate);
      Atomics.add(gate, 0, 1);
      while (Atomics.load(gate, 0) < 2);
      const mine = [];
      for (let n = 0; n < workerData.count; n++) {
        const at = (n + workerData.start) % workerData.count;
        if (table.claim(ids[at], 'data')) mine.push(at);
      }
      parentPort.postMessage(mine);
    });`;
  const module = new URL('./claim-table.ts', import.meta.url).href;
  const worker = new Worker(code, { eval: true, workerData: { module, shared, count, start, gate } });
  return new Promise<number[]>((resolve, reject) => {
    worker.on('message', resolve);
    worker.on('error', reject);
  });
}

describe('the table of claims', () => {
  it('gives each blob to who asks first, and a tree apart from a file of the same bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.constantFrom('data' as const, 'tree' as const))), (claims) => {
        const table = ClaimTable.create();
        const known = new Set<string>();
        for (const [number, type] of claims) {
          expect(table.claim(idOf(number), type)).toBe(!known.has(`${number} ${type}`));
          known.add(`${number} ${type}`);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('goes on when segments fill up', () => {
    const table = ClaimTable.create();
    for (let number = 0; number < 60_000; number++) expect(table.claim(idOf(number), 'data')).toBe(true);
    for (let number = 0; number < 60_000; number += 7) expect(table.claim(idOf(number), 'data')).toBe(false);
  });

  it.each([
    ['a few', 200],
    ['as many as a segment takes', 8000],
  ])('gives each of %s blobs to one of two threads', async (_, count) => {
    for (const start of [0, 1, Math.floor(count / 2)]) {
      const shared = ClaimTable.create().shared;
      const gate = new SharedArrayBuffer(4);
      const [one, other] = await Promise.all([
        claimInThread(shared, count, 0, gate),
        claimInThread(shared, count, start, gate),
      ]);
      const given = [...one, ...other].sort((a, b) => a - b);
      expect(given).toEqual(Array.from({ length: count }, (__, number) => number));
    }
  });

  it('loses none, and gives hardly one twice, while segments fill up under two threads', async () => {
    const count = 60_000;
    const shared = ClaimTable.create().shared;
    const gate = new SharedArrayBuffer(4);
    const [one, other] = await Promise.all([
      claimInThread(shared, count, 0, gate),
      claimInThread(shared, count, 5, gate),
    ]);
    expect(new Set([...one, ...other]).size).toBe(count);
    expect(one.length + other.length).toBeLessThan(count + 50);
  });

  it('is as good as new once it was cleared of few claims', () => {
    const table = ClaimTable.create();
    for (let number = 0; number < 5000; number++) table.claim(idOf(number), 'data');
    expect(table.clear()).toBe(true);
    expect(new Int32Array(table.shared, 0, 200_000).some((word) => word !== 0)).toBe(false);
    expect(table.claim(idOf(0), 'data')).toBe(true);
  });

  it('says that it is not as good as new after many claims', () => {
    const table = ClaimTable.create();
    for (let number = 0; number < 8192; number++) table.claim(idOf(number), 'data');
    expect(table.clear()).toBe(false);
  });
});
