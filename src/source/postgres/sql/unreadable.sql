-- What a logical backup reads and this role may not: in numbers, and the first few by name.
-- Of extensions only the tables whose rows pg_dump takes. Of partitioned tables and sequences pg_dump itself wants SELECT.
WITH wanted AS (
  SELECT c.oid, c.relkind, c.relnamespace, pg_catalog.format('%I.%I', n.nspname, c.relname) AS qualified
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S')
    AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
        AND c.oid <> ALL (COALESCE(e.extconfig, '{}'))
    )
), refused AS (
  SELECT qualified FROM wanted
  WHERE NOT pg_catalog.has_schema_privilege(relnamespace, 'USAGE')
     OR NOT CASE relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(oid, 'SELECT')
                         ELSE pg_catalog.has_table_privilege(oid, 'SELECT') END
), hidden AS (
  SELECT qualified FROM wanted WHERE relkind = 'r' AND pg_catalog.row_security_active(oid)
), large_objects AS (
  SELECT FROM pg_catalog.pg_largeobject_metadata AS o
  WHERE NOT current_setting('lo_compat_privileges')::pg_catalog.bool
    AND NOT pg_catalog.pg_has_role(o.lomowner, 'USAGE')
    AND NOT EXISTS (
      SELECT FROM pg_catalog.aclexplode(o.lomacl) AS granted
      WHERE granted.privilege_type = 'SELECT' AND (granted.grantee = 0 OR pg_catalog.pg_has_role(granted.grantee, 'USAGE'))
    )
)
SELECT (SELECT pg_catalog.count(*) FROM wanted)::text AS wanted,
       (SELECT pg_catalog.count(*) FROM refused)::text AS refused,
       (SELECT pg_catalog.json_agg(qualified)
        FROM (SELECT qualified FROM refused ORDER BY qualified LIMIT 3) AS few)::text AS refused_names,
       (SELECT pg_catalog.count(*) FROM hidden)::text AS hidden,
       (SELECT pg_catalog.json_agg(qualified)
        FROM (SELECT qualified FROM hidden ORDER BY qualified LIMIT 3) AS few)::text AS hidden_names,
       (SELECT pg_catalog.count(*) FROM large_objects)::text AS large_objects
