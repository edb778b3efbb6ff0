-- What a restore must know of its target: $1 extensions, $2 roles and $3 tablespaces of the source, each a JSON list.
SELECT
  pg_catalog.current_setting('server_version_num') AS version_number,
  r.rolsuper::text AS is_superuser,
  (r.rolsuper OR r.rolcreaterole)::text AS may_create_roles,
  (SELECT COALESCE(pg_catalog.json_agg(o.name), '[]') FROM (
     SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                       AND d.objid = c.oid AND d.deptype = 'e')
     UNION ALL
     SELECT pg_catalog.format('%I.%I()', n.nspname, p.proname)
     FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                       AND d.objid = p.oid AND d.deptype = 'e')
     UNION ALL
     SELECT pg_catalog.format('%I.%I', n.nspname, t.typname)
     FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.typtype IN ('e', 'd', 'r')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                       AND d.objid = t.oid AND d.deptype = 'e')
     UNION ALL
     SELECT pg_catalog.quote_ident(n.nspname)
     FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                       AND d.objid = n.oid AND d.deptype = 'e')
     UNION ALL
     SELECT 'large object ' || m.oid FROM pg_catalog.pg_largeobject_metadata AS m
   ) AS o)::text AS objects,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS e WHERE e.name = w.name))::text AS missing_extensions,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($2::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS e WHERE e.rolname = w.name))::text AS missing_roles,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($3::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace AS e WHERE e.spcname = w.name))::text AS missing_tablespaces
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user
