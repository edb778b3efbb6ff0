import { describe, expect, it } from 'vitest';
import { distributeArrayCasts } from './array-casts.ts';

describe('the two ways of writing a cast of an array', () => {
  it.each([
    [
      "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
      "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
    ],
    [
      "(ARRAY['a,b'::varchar, 'it''s ]'::varchar, '('::varchar])::text[]",
      "ARRAY[('a,b'::varchar)::text, ('it''s ]'::varchar)::text, ('('::varchar)::text]",
    ],
    ['(ARRAY[f(a, b), (c)[1]])::my."Type"[]', 'ARRAY[(f(a, b))::my."Type", ((c)[1])::my."Type"]'],
    [
      '(ARRAY[a])::numeric(10,2)[] = (ARRAY[b])::character varying(3)[]',
      'ARRAY[(a)::numeric(10,2)] = ARRAY[(b)::character varying(3)]',
    ],
    [
      'x = ANY ((ARRAY[CASE WHEN (y = ANY ((ARRAY[1, 2])::bigint[])) THEN 1 END])::text[])',
      'x = ANY (ARRAY[(CASE WHEN (y = ANY (ARRAY[(1)::bigint, (2)::bigint])) THEN 1 END)::text])',
    ],
  ])('become one: %s', (before, after) => {
    expect(distributeArrayCasts(before)).toBe(after);
    expect(distributeArrayCasts(after)).toBe(after);
  });

  it.each([
    'CREATE TABLE a (b integer[])',
    "(ARRAY['a'])",
    "(ARRAY['a'])::text",
    "(ARRAY['a",
    '(ARRAY[(ARRAY[1',
    "ARRAY['a']::text[]",
    '(ARRAY[ARRAY[1], ARRAY[2]]) || x',
  ])('leave what is no such cast as it is: %s', (text) => {
    expect(distributeArrayCasts(text)).toBe(text);
  });

  it('do not make definitions equal that mean something else', () => {
    const check = (list: string, type = 'text') =>
      distributeArrayCasts(`CHECK (s = ANY ((ARRAY[${list}])::${type}[]))`);
    expect(check("'a', 'b'")).not.toBe(check("'a', 'c'"));
    expect(check("'a', 'b'")).not.toBe(check("'a'"));
    expect(check("'a', 'b'")).not.toBe(check("'a', 'b'", 'bpchar'));
    expect(check("'a, b'")).not.toBe(check("'a', 'b'"));
  });
});
