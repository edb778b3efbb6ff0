import { describe, expect, it } from 'vitest';
import { isAheadByLog } from './sequence-values.ts';

const set = (value: number, isCalled = true, name = 's') =>
  `SELECT pg_catalog.setval('public.${name}', ${value}, ${isCalled});\n`;

describe('a value of a sequence that a recovery gave', () => {
  it.each<[string, boolean, string, string, string]>([
    ['the same', true, set(7), set(7), ''],
    ['as far ahead as a log is', true, set(39), set(7), ''],
    ['further ahead', false, set(41), set(7), ''],
    ['behind', false, set(6), set(7), ''],
    ['ahead in steps', true, set(327), set(7), 'CREATE SEQUENCE s START WITH 7 INCREMENT BY 10 CACHE 1'],
    ['not so many steps ahead', false, set(427), set(7), 'CREATE SEQUENCE s START WITH 7 INCREMENT BY 10 CACHE 1'],
    ['ahead on its way down', true, set(-20), set(-1), 'CREATE SEQUENCE s INCREMENT BY -1 CACHE 1'],
    ['behind on its way down', false, set(3), set(-1), 'CREATE SEQUENCE s INCREMENT BY -1 CACHE 1'],
    ['ahead by what a session keeps', true, set(57), set(7), 'CREATE SEQUENCE s CACHE 20'],
    ['of a sequence that was never used', false, set(1, false), set(3), ''],
    ['of another sequence', false, set(9, true, 't'), set(7), ''],
    ['no value', false, 'CREATE TABLE t ()', set(7), ''],
  ])('says of one that is %s: %s', (_, expected, recovered, living, definition) => {
    expect(isAheadByLog(recovered, living, definition)).toBe(expected);
  });
});
