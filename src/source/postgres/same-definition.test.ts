import { describe, expect, it } from 'vitest';
import { isSameDefinition } from './same-definition.ts';

const family = (...lines: string[]) => `ALTER OPERATOR FAMILY f USING btree ADD\n    ${lines.join(' ,\n    ')};\n`;
const child = (columns: string[], more = '') =>
  `CREATE TABLE c (\n    ${columns.join(',\n    ')}\n)\nINHERITS (p)${more};\n`;

describe('two texts of one definition', () => {
  it.each([
    ['VIEW v', "SELECT 0::oid AS oid, 'PUBLIC'::name AS name", "SELECT 0::oid, 'PUBLIC'::name"],
    [
      'VIEW v',
      `SELECT 'it''s'::character varying(5) AS "varchar", 1::bigint AS int8`,
      `SELECT 'it''s'::character varying(5), 1::bigint`,
    ],
    ['VIEW v', 'SELECT NULL::my."Type" AS "Type" UNION', 'SELECT NULL::my."Type" UNION'],
    ['VIEW v', "SELECT '{}'::integer[] AS int4", "SELECT '{}'::integer[]"],
    ['OPERATOR FAMILY f', family('OPERATOR 1 a', 'OPERATOR 2 b'), family('OPERATOR 2 b', 'OPERATOR 1 a')],
    ['TABLE c', child(['a integer', 'b text NOT NULL']), child(['b text NOT NULL', 'a integer'])],
    ['CONSTRAINT c', "(ARRAY['a'::varchar])::text[]", "ARRAY[('a'::varchar)::text]"],
  ])('says the same of %s: %s', (name, was, is) => {
    expect(isSameDefinition(name, was, is)).toBe(true);
    expect(isSameDefinition(name, is, was)).toBe(true);
  });

  it.each([
    ['VIEW v', "SELECT 'x'::text AS a", "SELECT 'x'::text"],
    ['VIEW v', "SELECT 'x'::text AS a", "SELECT 'x'::text AS b"],
    ['VIEW v', "SELECT 'x'::text AS text", "SELECT 'y'::text"],
    ['VIEW v', 'SELECT a::text AS text', 'SELECT a::text'],
    ['VIEW v', 'SELECT 1\nUNION\nSELECT 2', 'SELECT 2\nUNION\nSELECT 1'],
    ['OPERATOR FAMILY f', family('OPERATOR 1 a', 'OPERATOR 2 b'), family('OPERATOR 1 b', 'OPERATOR 2 a')],
    ['TABLE c', child(['a integer', 'b text']), child(['b text', 'a bigint'])],
    ['TABLE c', child(['a integer', 'b text']), child(['b text', 'a integer'], ' WITH (fillfactor=70)')],
    ['TABLE c', 'CREATE TABLE c (\n    a integer,\n    b text\n);', 'CREATE TABLE c (\n    b text,\n    a integer\n);'],
  ])('says something else of %s: %s', (name, was, is) => {
    expect(isSameDefinition(name, was, is)).toBe(false);
  });
});
