-- Everything that has rows of its own in files, the system's catalogues among it.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS qualified,
       (n.nspname ~ '^pg_' OR n.nspname = 'information_schema')::text AS is_system
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm')
   AND c.relpersistence = 'p'
   AND c.relispopulated
 ORDER BY c.oid
