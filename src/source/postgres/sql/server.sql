-- The server and the database, as text. Columns that a version does not have come out as NULL by way of JSON.
SELECT
  pg_catalog.current_setting('server_version_num') AS version_number,
  pg_catalog.current_setting('server_version') AS version,
  d.datname AS name,
  pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
  d.datcollate AS collate,
  d.datctype AS ctype,
  COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
  COALESCE(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') AS locale,
  pg_catalog.pg_database_size(d.oid)::text AS size_bytes,
  pg_catalog.current_setting('lc_monetary') AS monetary,
  pg_catalog.pg_is_in_recovery()::text AS in_recovery,
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
       ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', e.extname, 'version', e.extversion) ORDER BY e.extname)
   FROM pg_catalog.pg_extension AS e)::text AS extensions,
  (SELECT COALESCE(pg_catalog.json_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_catalog.pg_roles AS r
   WHERE r.rolname !~ '^pg_' AND EXISTS (
     SELECT FROM pg_catalog.pg_shdepend AS s
     WHERE s.dbid = d.oid AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = r.oid
   ))::text AS roles,
  (SELECT COALESCE(pg_catalog.json_agg(DISTINCT t.spcname), '[]') FROM pg_catalog.pg_class AS c
   JOIN pg_catalog.pg_tablespace AS t ON t.oid = c.reltablespace WHERE t.spcname !~ '^pg_')::text AS tablespaces,
  (SELECT COALESCE(pg_catalog.json_agg(setting), '[]') FROM pg_catalog.pg_db_role_setting AS g, pg_catalog.unnest(g.setconfig) AS setting
   WHERE g.setdatabase = d.oid AND g.setrole = 0)::text AS settings,
  (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relkind = 'S')::text AS sequences
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
