-- By what a managed service is recognised. $1: the names of roles that are asked about, as JSON.
-- Settings of extensions and services have a prefix before a point. Those that somebody merely set, and that nothing
-- running knows, are not listed by the server.
SELECT
  (SELECT COALESCE(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles
   WHERE rolname IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.json)))::text AS roles,
  (SELECT COALESCE(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles WHERE rolsuper)::text AS superusers,
  (SELECT COALESCE(pg_catalog.json_agg(DISTINCT pg_catalog.split_part(name, '.', 1)), '[]')
   FROM pg_catalog.pg_settings WHERE name LIKE '%.%')::text AS setting_prefixes
