import { describe, expect, it } from 'vitest';
import { ChainCheck } from './chain-check.ts';
import type { LedgerEvent } from './events.ts';
import type { ReadEvent } from './objects.ts';

const hashOf = (name: string): string => name.padEnd(64, '0');

/** An event of writer `a`, unless it is of another one. */
function event(sequence: number, own: string, previous: string | null, more: object = {}): ReadEvent {
  const said = { writer: 'a', sequence, previous: previous === null ? null : hashOf(previous), heads: {}, ...more };
  return {
    event: { kind: 'note', body: {}, ...said } as unknown as LedgerEvent,
    hash: hashOf(own),
    plain: Buffer.of(),
  };
}

function faultsOf(...events: ReadEvent[]): string[] {
  const check = new ChainCheck();
  for (const each of events) check.add(each);
  return check.faults().map(({ what, sequence }) => (sequence === undefined ? what : `${what} ${sequence}`));
}

describe('events of a chain', () => {
  it('follow one another in whatever order they come', () => {
    const [first, second, third] = [event(0, 'a1', null), event(1, 'a2', 'a1'), event(2, 'a3', 'a2')];
    for (const order of [
      [first, second, third],
      [third, second, first],
      [second, third, first],
    ]) {
      expect(faultsOf(...order)).toEqual([]);
    }
  });

  it('that were edited do not fit, whichever of two comes first', () => {
    const [edited, follows] = [event(0, 'ff', null), event(1, 'a2', 'a1')];
    expect(faultsOf(edited, follows)).toEqual(['edited 0']);
    expect(faultsOf(follows, edited)).toEqual(['edited 0']);
  });

  it('begin with one that builds on none: what was cut before it was not nothing', () => {
    expect(faultsOf(event(0, 'a1', 'a0'))).toEqual(['edited 0']);
  });

  it('are known by all of their hash, and not by how it begins', () => {
    const alike = ['abcdef012345', 'abcdef0123456'] as const;
    const own = [event(0, alike[0], null), event(1, 'a2', alike[0])];
    const names = (hash: string) => event(0, 'b1', null, { writer: 'b', heads: { a: hashOf(hash) } });
    expect(faultsOf(...own, names(alike[0]))).toEqual([]);
    expect(faultsOf(...own, names(alike[1]))).toEqual(['cut']);
  });
});
