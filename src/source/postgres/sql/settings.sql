-- Settings of the server as they are now, where each comes from, and whether a restart would change it. From which file is for
-- the privileged to see: NULL. $1: their names.
SELECT name, setting, pending_restart::text AS is_pending, source, sourcefile AS file,
       (pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
        AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE'))::text AS may_read_files
  FROM pg_catalog.pg_settings
 WHERE name = ANY (pg_catalog.string_to_array($1, ','))
