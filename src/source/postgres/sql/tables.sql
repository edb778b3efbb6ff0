-- The tables whose rows are captured: ordinary tables, partitions and children each on its own. Not those of extensions,
-- whose rows pg_dump picks, nor foreign and temporary ones, nor unlogged ones of a standby, which has no rows of them. The
-- columns are those that COPY takes: no generated ones.
-- $1: whether with their sizes, largest first. To ask for a table's size is to wait for whoever has it locked exclusively.
-- The pattern is how pg_dump is told of the table. Between double quotes everything stands for itself. The program's
-- arguments are UTF-8, but pg_dump takes them in another encoding where the database has another: so a character beyond
-- ASCII is written as a regular expression of the server's has it, by its code.
SELECT
  c.oid::text AS oid,
  n.nspname AS schema,
  c.relname AS name,
  pg_catalog.format('%I.%I', n.nspname, c.relname) AS qualified,
  columns.list AS column_list,
  columns.names::text AS column_names,
  pg_catalog.encode(pg_catalog.convert_to(
    pg_catalog.format('COPY %I.%I %s FROM stdin;', n.nspname, c.relname, columns.list) || E'\n',
    pg_catalog.getdatabaseencoding()), 'hex') AS copy_statement,
  patterns.pattern,
  sizes.size_bytes::text AS size_bytes,
  (c.relpersistence = 'u')::text AS is_unlogged,
  CASE WHEN $1::pg_catalog.bool AND m.amname = 'heap'
       THEN pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int END AS blocks
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT
    COALESCE('(' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')', '') AS list,
    COALESCE(pg_catalog.json_agg(a.attname ORDER BY a.attnum), '[]') AS names
  FROM pg_catalog.pg_attribute AS a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
) AS columns
CROSS JOIN LATERAL (
  SELECT pg_catalog.string_agg('"' || (
    SELECT pg_catalog.string_agg(
      CASE WHEN pg_catalog.get_byte(code.bytes, 0) < 128 THEN pg_catalog.replace(letter, '"', '""')
           WHEN pg_catalog.getdatabaseencoding() = 'UTF8' THEN '"[\x' || pg_catalog.to_hex(pg_catalog.ascii(letter)) || ']"'
           ELSE '"[\x' || pg_catalog.encode(code.bytes, 'hex') || ']"' END, '' ORDER BY letters.place)
    FROM pg_catalog.unnest(pg_catalog.string_to_array(part, NULL)) WITH ORDINALITY AS letters (letter, place)
    CROSS JOIN LATERAL (SELECT pg_catalog.convert_to(letter, pg_catalog.getdatabaseencoding()) AS bytes) AS code
  ) || '"', '.' ORDER BY parts.place) AS pattern
  FROM (VALUES (1, n.nspname::text), (2, c.relname::text)) AS parts (place, part)
) AS patterns
CROSS JOIN LATERAL (SELECT CASE WHEN $1::pg_catalog.bool THEN pg_catalog.pg_table_size(c.oid) END AS size_bytes) AS sizes
LEFT JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
WHERE c.relkind = 'r'
  AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery())
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY sizes.size_bytes DESC NULLS LAST, c.oid
