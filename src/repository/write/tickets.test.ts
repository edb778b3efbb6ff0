import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tickets } from './tickets.ts';

function withIssued(count: number): { main: Tickets; workers: [Tickets, Tickets] } {
  const main = new Tickets();
  for (let number = 0; number < count; number++) main.issue(number, number * 100, 100, 0);
  return { main, workers: [new Tickets(main.shared), new Tickets(main.shared)] };
}

describe('the tickets that a worker takes', () => {
  it('follow each other while there are many', () => {
    const { workers } = withIssued(64);
    const taken = workers.map((worker) => Array.from({ length: 8 }, () => worker.takeIfThere()!.number));
    expect(taken[0]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(taken[1]).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
  });

  it('are shared out one by one while there are few', () => {
    const [one, other] = withIssued(4).workers;
    expect([one, other, one, other].map((worker) => worker.takeIfThere()?.number)).toEqual([0, 1, 2, 3]);
    expect(one.takeIfThere()).toBeUndefined();
  });

  it('are each taken once, whoever takes them and whenever they are issued', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('issue', 'one', 'other'), { maxLength: 200 }), (steps) => {
        const { main, workers } = withIssued(0);
        let issued = 0;
        const taken: number[] = [];
        for (const step of [...steps, ...Array(200).fill('one'), ...Array(200).fill('other')]) {
          if (step === 'issue') main.issue(issued++, 0, 1, 0);
          else taken.push(workers[step === 'one' ? 0 : 1].takeIfThere()?.number ?? -1);
        }
        const numbers = taken.filter((number) => number >= 0).toSorted((a, b) => a - b);
        expect(numbers).toEqual(Array.from({ length: issued }, (_, number) => number));
      }),
    );
  });

  it('are done before a part of a file', () => {
    const { main, workers } = withIssued(1);
    main.announcePart(0);
    expect(workers[0].take(0, 0)).toMatchObject({ number: 0 });
    expect(workers[0].take(0, 0)).toBe('part');
  });
});
