import { describe, expect, it } from 'vitest';
import { isUnchanged, packedRefsText, parseLsRemote, parseRefLines, refsDigest, withKept } from './refs.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];
const MOMENT = Date.parse('2026-11-21T22:41:11.250Z');

describe('what git says of references', () => {
  it('is read with HEAD, and without what tags lead to', () => {
    const said = `ref: refs/heads/main\tHEAD\n${A}\tHEAD\n${A}\trefs/heads/main\n${B}\trefs/tags/v1\n${A}\trefs/tags/v1^{}\n`;
    expect(parseLsRemote(said)).toEqual({
      head: { ref: 'refs/heads/main' },
      refs: new Map([
        ['refs/heads/main', A],
        ['refs/tags/v1', B],
      ]),
    });
    expect(parseLsRemote(`${A}\tHEAD\n`).head).toEqual({ id: A });
    expect(parseLsRemote('').head).toBeUndefined();
  });

  it('comes back from what is written, sorted by the bytes of the names', () => {
    const refs = new Map([
      ['refs/heads/z', A],
      ['refs/heads/\xe4', B],
      ['refs/heads/a b', C],
    ]);
    const text = packedRefsText(refs);
    expect(text.split('\n').slice(1, -1)).toEqual([`${C} refs/heads/a b`, `${A} refs/heads/z`, `${B} refs/heads/\xe4`]);
    expect(parseRefLines(text)).toEqual(refs);
  });
});

describe('references of earlier times', () => {
  const head = { ref: 'refs/heads/main' };

  it('are kept under the moment of the backup that had them', () => {
    const kept = withKept(new Map([['refs/heads/main', A]]), new Map([['refs/heads/main', B]]), MOMENT);
    expect([...kept]).toEqual([
      ['refs/heads/main', A],
      ['refs/holdfast/20261121T224111Z/heads/main', B],
    ]);
  });

  it('keep the name that they were kept by', () => {
    const name = 'refs/holdfast/20250101T000000Z/heads/main';
    expect(withKept(new Map(), new Map([[name, B]]), MOMENT).get(name)).toBe(B);
  });

  it.each([
    ['the same name', 'refs/holdfast/20250101T000000Z/heads/main'],
    ['a name above it', 'refs/holdfast/20250101T000000Z'],
    ['a name below it', 'refs/holdfast/20250101T000000Z/heads/main/x'],
  ])('are not lost where the repository names something else by %s', (_, claimed) => {
    const name = 'refs/holdfast/20250101T000000Z/heads/main';
    const kept = withKept(new Map([[claimed, A]]), new Map([[name, B]]), MOMENT);
    expect(Object.fromEntries(kept)).toEqual({
      [claimed]: A,
      'refs/holdfast/20261121T224111Z/holdfast/20250101T000000Z/heads/main': B,
    });
  });

  it('are not lost where that name is taken as well', () => {
    const claimed = new Map([
      ['refs/holdfast/20261121T224111Z/heads', A],
      ['refs/holdfast/20261121T224111Z-2/heads/main', A],
    ]);
    const kept = withKept(claimed, new Map([['refs/heads/main', B]]), MOMENT);
    expect(kept.get('refs/holdfast/20261121T224111Z-3/heads/main')).toBe(B);
  });

  it('make no change by themselves, and anything else does', () => {
    const refs = new Map([['refs/heads/main', A]]);
    const stored = { head, refs: new Map([...refs, ['refs/holdfast/20250101T000000Z/heads/main', B]]) };
    expect(isUnchanged({ head, refs }, stored)).toBe(true);
    expect(isUnchanged({ head: { id: A }, refs }, stored)).toBe(false);
    expect(isUnchanged({ head, refs: new Map() }, stored)).toBe(false);
    expect(isUnchanged({ head, refs: new Map([['refs/heads/main', C]]) }, stored)).toBe(false);
    expect(isUnchanged({ head, refs: new Map([...refs, ['refs/heads/new', A]]) }, stored)).toBe(false);
  });
});

it('tells repositories apart that name anything else', () => {
  const refs = new Map([['refs/heads/main', A]]);
  const digest = refsDigest({ head: { ref: 'refs/heads/main' }, refs });
  expect(refsDigest({ head: { ref: 'refs/heads/main' }, refs: new Map(refs) })).toBe(digest);
  expect(refsDigest({ head: { id: A }, refs })).not.toBe(digest);
  expect(refsDigest({ head: { ref: 'refs/heads/main' }, refs: new Map([['refs/heads/other', A]]) })).not.toBe(digest);
});
