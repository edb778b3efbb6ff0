-- What decides whether a cluster can be backed up over the replication protocol, and by what its files are understood.
SELECT current_setting('server_version_num') AS version_number,
       current_setting('server_version') AS version,
       pg_catalog.current_database() AS database,
       pg_catalog.pg_is_in_recovery()::text AS in_recovery,
       current_setting('wal_level') AS wal_level,
       current_setting('max_wal_senders') AS max_wal_senders,
       current_setting('max_replication_slots') AS max_replication_slots,
       current_setting('data_checksums') AS data_checksums,
       current_setting('data_directory_mode') AS directory_mode,
       current_setting('block_size') AS page_bytes,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'segment_size') AS pages_per_segment,
       (SELECT (rolreplication OR rolsuper)::text FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_replicate,
       (SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1) AS superuser,
       pg_catalog.host(pg_catalog.inet_client_addr()) AS client_address,
       (SELECT pg_catalog.json_object_agg(name, setting)::text
          FROM pg_catalog.pg_settings
         WHERE name IN ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions',
                        'max_locks_per_transaction')) AS settings
