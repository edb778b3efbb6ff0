-- Ends who is about to get in: whose login is judged just now, or was granted, and whom no list of sessions has yet. One row for
-- each. With process ids, of these alone, as long as they are there. Only a superuser may end who is nobody yet.
SELECT late.pid::text AS pid, pg_catalog.pg_terminate_backend(late.pid)::text AS is_told
  FROM (SELECT l.pid
          FROM pg_catalog.pg_locks AS l
         WHERE l.locktype = 'virtualxid' AND l.pid <> pg_catalog.pg_backend_pid()
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = l.pid)
         UNION
        SELECT pid FROM pg_catalog.pg_stat_activity WHERE $1::json IS NOT NULL) AS late
 WHERE ($1::json IS NULL OR late.pid::text IN (SELECT pg_catalog.json_array_elements_text($1::json)))
   AND EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper)
