-- What of the server's replication is taken, and what a role needs beside it. $1: the name of our slot, or an empty text.
-- Whoever is asked may see how many there are; what belongs to whom is for the privileged. `data_directory` is, too: NULL.
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::text AS senders_taken,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots)::text AS slots_taken,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots WHERE NOT active)::text AS slots_idle,
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::name)::text AS slot_exists,
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::name AND active)::text AS is_followed,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory') AS data_directory,
       pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'EXECUTE')::text
         AS may_reread
