-- Ends the sessions of everybody who does not come from one of these networks, replication as well. One row for each.
SELECT pid::text AS pid, pg_catalog.pg_terminate_backend(pid)::text AS is_told
  FROM pg_catalog.pg_stat_activity
 WHERE pid <> pg_catalog.pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
   AND CASE WHEN client_addr IS NULL THEN NOT $2::boolean
            ELSE NOT EXISTS (SELECT FROM pg_catalog.json_array_elements_text($1::json) AS allowed (network)
                              WHERE client_addr <<= allowed.network::inet) END
