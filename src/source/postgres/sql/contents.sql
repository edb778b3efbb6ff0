-- Tables of the database, with what says whether one is still the same and how many rows it has, without reading any.
SELECT c.oid::text AS oid,
       pg_catalog.format('%I.%I', n.nspname, c.relname) AS qualified,
       pg_catalog.pg_relation_filenode(c.oid)::text AS file,
       CASE WHEN c.relkind IN ('r', 'm') AND c.relpersistence = 'p' THEN pg_catalog.pg_stat_get_live_tuples(c.oid)::text END AS live,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid)::text AS deleted
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY c.oid
 LIMIT $1
