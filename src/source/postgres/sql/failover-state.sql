-- What a server is for a failover: whom it follows, how far it is, whether it is fenced.
SELECT pg_catalog.pg_is_in_recovery()::text AS in_recovery,
       (SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user) AS is_superuser,
       pg_catalog.current_setting('server_version_num') AS version_number,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN COALESCE((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),
                          (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()))::text END AS replayed_timeline,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 8) END AS timeline,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_flush_lsn() END::text AS lsn,
       (pg_catalog.date_part('epoch', pg_catalog.pg_last_xact_replay_timestamp()) * 1000)::text AS replayed_ms,
       (SELECT (status = 'streaming')::text FROM pg_catalog.pg_stat_wal_receiver) AS is_receiving
