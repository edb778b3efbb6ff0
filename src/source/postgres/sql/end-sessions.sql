-- Ends whatever may write on somebody's behalf: all but this session and what the server itself needs. One row for each;
-- one that is still logging in has done nothing yet.
SELECT pid::text AS pid, backend_type, state, pg_catalog.pg_terminate_backend(pid)::text AS is_told
  FROM pg_catalog.pg_stat_activity
 WHERE pid <> pg_catalog.pg_backend_pid()
   AND backend_type NOT IN ('archiver', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',
                            'io worker', 'logger', 'logical replication launcher', 'slotsync worker', 'startup',
                            'walreceiver', 'walsender', 'walsummarizer', 'walwriter')
