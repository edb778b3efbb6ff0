-- Ends the sessions of one role that began before a moment. One row for each that is still there.
SELECT pid::text AS pid, pg_catalog.pg_terminate_backend(pid)::text AS is_told
  FROM pg_catalog.pg_stat_activity
 WHERE usename = $1 AND backend_start <= $2::timestamptz AND pid <> pg_catalog.pg_backend_pid()
