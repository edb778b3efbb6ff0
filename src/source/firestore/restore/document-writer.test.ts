import { describe, expect, it } from 'vitest';
import { type DocumentWrite, DocumentWriter, type WriteStatus } from './document-writer.ts';
import { RampUp } from './ramp-up.ts';

const DATABASE = 'projects/p/databases/d';

function nameOf(write: DocumentWrite['write']): string {
  return 'delete' in write ? write.delete : write.update.name;
}

/** A writer that sends to `answer`, and what it sent and waited. */
function writerTo(answer: (names: string[], call: number) => WriteStatus[] | Error) {
  const sent: string[][] = [];
  const waitedMs: number[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  const writer = new DocumentWriter({
    pause: async (milliseconds) => void waitedMs.push(milliseconds),
    onWritten: () => {},
    send: async (writes) => {
      const names = writes.map(nameOf);
      sent.push(names);
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      const answered = answer(names, sent.length);
      if (answered instanceof Error) throw answered;
      return answered;
    },
  });
  const add = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      await writer.add({ write: { update: { name: `${DATABASE}/documents/c/${at}`, fields: {} } }, bytes: 100 });
    }
  };
  return { writer, sent, waitedMs, add, mostAtOnce: () => mostAtOnce };
}

const grpcError = (code: number): Error => Object.assign(new Error(`code ${code}`), { code });

describe('writing documents', () => {
  it('sends batches side by side, and more of them as long as all is taken', async () => {
    const { writer, sent, add, mostAtOnce } = writerTo((names) => names.map(() => ({ code: 0 })));
    await add(20_000);
    await writer.end();
    expect(writer.written).toBe(20_000);
    expect(sent.every((names) => names.length <= 100)).toBe(true);
    expect(new Set(sent.flat()).size).toBe(20_000);
    expect(mostAtOnce()).toBeGreaterThan(4);
  });

  it('writes again just what was not taken for the moment, by its own status', async () => {
    const { writer, sent, waitedMs, add } = writerTo((names, call) =>
      names.map((name) => ({ code: call === 1 && name.endsWith('/7') ? 10 : 0 })),
    );
    await add(10);
    await writer.end();
    expect(sent).toEqual([expect.arrayContaining([`${DATABASE}/documents/c/7`]), [`${DATABASE}/documents/c/7`]]);
    expect(waitedMs).toHaveLength(1);
    expect(writer.written).toBe(10);
  });

  it('writes all again where a call failed for the moment, waits longer each time, and gives up in the end', async () => {
    const { writer, sent, waitedMs, add } = writerTo(() => grpcError(8));
    await add(3);
    await expect(writer.end()).rejects.toMatchObject({ code: 'target-failed', retryable: true });
    expect(sent).toHaveLength(10);
    expect(waitedMs[8]!).toBeGreaterThan(waitedMs[0]! * 10);
    expect(writer.written).toBe(0);
  });

  it('names a document that is refused, and writes the others', async () => {
    const { writer, add } = writerTo((names) =>
      names.map((name) => (name.endsWith('/1') ? { code: 3, message: 'too large' } : { code: 0 })),
    );
    await add(3);
    await writer.end();
    expect(writer.written).toBe(2);
    expect(writer.refused).toEqual([{ path: 'documents/c/1', message: 'not taken: too large' }]);
  });

  it.each([
    ['no write is permitted', (names: string[]) => names.map(() => ({ code: 7, message: 'no' }))],
    ['every document is refused', (names: string[]) => names.map(() => ({ code: 3 }))],
    ['a call is refused', () => grpcError(5)],
    ['not every write was told of', (names: string[]) => names.slice(1).map(() => ({ code: 0 }))],
  ])('fails where %s', async (_what, answer) => {
    const { writer, add } = writerTo(answer);
    await add(200);
    await expect(writer.end()).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('stops soon after a failure', async () => {
    const { sent, add } = writerTo(() => grpcError(7));
    await expect(add(100_000)).rejects.toMatchObject({ code: 'target-failed' });
    expect(sent.length).toBeLessThan(20);
  });

  it('keeps calls below their largest size', async () => {
    const { writer, sent } = writerTo((names) => names.map(() => ({ code: 0 })));
    for (let at = 0; at < 9; at++) await writer.add({ write: { delete: `${DATABASE}/documents/c/${at}` }, bytes: 1e6 });
    await writer.end();
    expect(sent.map((names) => names.length)).toEqual([2, 2, 2, 2, 1]);
    expect(writer.deleted).toBe(9);
  });
});

describe('the ramp of a database without traffic', () => {
  it('begins with 500 a second, and allows half as many more every five minutes', async () => {
    let nowMs = 0;
    const pause = async (milliseconds: number): Promise<void> => {
      nowMs += milliseconds;
    };
    const rampUp = new RampUp({ clock: { nowMs: () => nowMs, monotonicMs: () => nowMs }, pause });
    const takenUntil = async (untilMs: number): Promise<number> => {
      let taken = 0;
      for (; nowMs < untilMs; taken += 250) await rampUp.take(250);
      return taken / ((untilMs - 0) / 1000);
    };
    expect(await takenUntil(299_000)).toBeCloseTo(500, -1);
    const firstMs = nowMs;
    let taken = 0;
    for (; nowMs < 599_000; taken += 250) await rampUp.take(250);
    expect(taken / ((nowMs - firstMs) / 1000)).toBeCloseTo(750, -1);
  });
});
