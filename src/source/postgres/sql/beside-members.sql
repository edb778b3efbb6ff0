-- What is renamed with a table ($1 schema, $2 name), or moved with a schema ($2 null): its tables, with partitions wherever
-- they are, their indexes, statistics, and the sequences that belong to their columns.
WITH RECURSIVE tables AS (
  SELECT c.oid, c.relname, c.relnamespace
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND (c.relname = $2 OR $2 IS NULL) AND c.relkind IN ('r', 'p', 'f')
  UNION
  SELECT c.oid, c.relname, c.relnamespace
  FROM tables AS t
  JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
  WHERE c.relispartition
), members AS (
  SELECT 'table' AS kind, oid, relname AS name, relnamespace AS schema FROM tables
  UNION ALL
  SELECT 'index', c.oid, c.relname, c.relnamespace
  FROM tables AS t JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
  UNION ALL
  SELECT 'sequence', c.oid, c.relname, c.relnamespace
  FROM tables AS t
  JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = t.oid AND d.deptype IN ('a', 'i')
  JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
  UNION ALL
  SELECT 'statistics', s.oid, s.stxname, s.stxnamespace
  FROM tables AS t JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid = t.oid
)
SELECT m.kind, m.oid::text AS oid, n.nspname AS schema, m.name,
  -- Tables that it is a part or a child of, and that stay behind.
  (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
     'table', pg_catalog.format('%I.%I', pn.nspname, p.relname), 'isPartition', c.relispartition)), '[]')
   FROM pg_catalog.pg_inherits AS i
   JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
   JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
   JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
   WHERE m.kind = 'table' AND i.inhrelid = m.oid AND i.inhparent NOT IN (SELECT oid FROM tables))::text AS parents
FROM members AS m
JOIN pg_catalog.pg_namespace AS n ON n.oid = m.schema
ORDER BY m.kind, m.oid
