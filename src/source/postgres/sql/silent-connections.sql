-- Connections that have not said yet who they are, and are listed nowhere. The server's first process makes a process for each,
-- which keeps the command line of the first until it is known whom it is for. Read from Linux's /proc by the server itself, for a
-- superuser alone. One row for each, and one for this session, by which one knows that the others were seen.
WITH own AS (SELECT pg_catalog.pg_read_file('/proc/self/stat', 0, 4096) AS stat),
     first AS (SELECT pg_catalog.split_part(pg_catalog.regexp_replace(stat, '^.*\) ', ''), ' ', 2) AS pid FROM own),
     made AS (SELECT first.pid AS parent, child.pid
                FROM first,
                     pg_catalog.regexp_split_to_table(
                       pg_catalog.btrim(
                         pg_catalog.pg_read_file('/proc/' || first.pid || '/task/' || first.pid || '/children', 0, 16777216)),
                       '\s+') AS child (pid))
SELECT pid, (pid = pg_catalog.pg_backend_pid()::text)::text AS is_own
  FROM made
 WHERE pid = pg_catalog.pg_backend_pid()::text
    OR pg_catalog.pg_read_binary_file('/proc/' || pid || '/cmdline', 0, 65536, true)
     = pg_catalog.pg_read_binary_file('/proc/' || parent || '/cmdline', 0, 65536, true)
