-- Tables that somebody made and that have something, where their files are, and how those are divided.
SELECT c.oid::pg_catalog.regclass::text AS name, pg_catalog.pg_relation_filepath(c.oid) AS path,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'block_size') AS page_bytes,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'segment_size') AS segment_pages
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
   AND pg_catalog.pg_relation_size(c.oid) > 0
 ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, name
 LIMIT 20
