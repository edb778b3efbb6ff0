-- The tables whose rows are captured: ordinary tables, partitions and children each on its own. Not those of extensions,
-- whose rows pg_dump picks, nor foreign and temporary ones. The columns are those that COPY takes: no generated ones.
SELECT
  c.oid::text AS oid,
  n.nspname AS schema,
  c.relname AS name,
  c.relpersistence AS persistence,
  COALESCE(pg_catalog.pg_table_size(c.oid), 0)::text AS size_bytes,
  pg_catalog.format('%I.%I', n.nspname, c.relname) AS qualified,
  columns.list AS column_list,
  columns.names::text AS column_names,
  pg_catalog.encode(pg_catalog.convert_to(
    pg_catalog.format('COPY %I.%I %s FROM stdin;', n.nspname, c.relname, columns.list) || E'\n',
    pg_catalog.getdatabaseencoding()), 'hex') AS copy_statement
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT
    COALESCE('(' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')', '') AS list,
    COALESCE(pg_catalog.json_agg(a.attname ORDER BY a.attnum), '[]') AS names
  FROM pg_catalog.pg_attribute AS a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
) AS columns
WHERE c.relkind = 'r'
  AND c.relpersistence IN ('p', 'u')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY pg_catalog.pg_table_size(c.oid) DESC NULLS LAST, c.oid
