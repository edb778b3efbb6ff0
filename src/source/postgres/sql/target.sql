-- What a restore must know of its target: $1 extensions, $2 roles, $3 tablespaces and $4 owners of the source, each a
-- JSON list. Foreign owners are those that the login may not hand anything over to, or not write to afterwards.
SELECT
  pg_catalog.current_setting('server_version_num') AS version_number,
  r.rolsuper::text AS is_superuser,
  (r.rolsuper OR r.rolcreaterole)::text AS may_create_roles,
  -- What initdb made has a lower number; what belongs to an extension or to another object comes and goes with it.
  -- Each with what it is called, and as DROP would have it.
  (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
     pg_catalog.pg_describe_object(o.catalogue, o.oid, 0), i.type, i.identity)), '[]') FROM (
     SELECT 'pg_catalog.pg_class'::pg_catalog.regclass AS catalogue, oid FROM pg_catalog.pg_class
     WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
     UNION ALL SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'
     UNION ALL SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid FROM pg_catalog.pg_largeobject_metadata
     UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid FROM pg_catalog.pg_type
     UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid FROM pg_catalog.pg_proc
     UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid FROM pg_catalog.pg_operator
     UNION ALL SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, oid FROM pg_catalog.pg_opfamily
     UNION ALL SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, oid FROM pg_catalog.pg_collation
     UNION ALL SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, oid FROM pg_catalog.pg_conversion
     UNION ALL SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, oid FROM pg_catalog.pg_cast
     UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_config
     UNION ALL SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, oid FROM pg_catalog.pg_ts_dict
     UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
     UNION ALL SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid FROM pg_catalog.pg_foreign_server
     UNION ALL SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, oid FROM pg_catalog.pg_event_trigger
     UNION ALL SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, oid FROM pg_catalog.pg_publication
   ) AS o, LATERAL pg_catalog.pg_identify_object(o.catalogue, o.oid, 0) AS i
   WHERE (o.oid >= 16384 OR o.catalogue = 'pg_catalog.pg_largeobject'::pg_catalog.regclass) AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = o.catalogue AND d.objid = o.oid AND d.deptype IN ('e', 'i')
       -- The key of a partitioned table belongs to the table itself.
       AND (d.refclassid, d.refobjid) <> (d.classid, d.objid)
   ))::text AS objects,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS e WHERE e.name = w.name))::text AS missing_extensions,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($2::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS e WHERE e.rolname = w.name))::text AS missing_roles,
  (SELECT COALESCE(pg_catalog.json_agg(w.name), '[]') FROM pg_catalog.json_array_elements_text($3::pg_catalog.json) AS w (name)
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace AS e WHERE e.spcname = w.name))::text AS missing_tablespaces,
  (SELECT COALESCE(pg_catalog.json_agg(e.rolname), '[]') FROM pg_catalog.json_array_elements_text($4::pg_catalog.json) AS w (name)
   JOIN pg_catalog.pg_roles AS e ON e.rolname = w.name
   WHERE NOT (
     pg_catalog.pg_has_role(e.oid, 'USAGE')
     AND pg_catalog.pg_has_role(
       e.oid, CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
   ))::text AS foreign_owners
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user
