-- A moment of a primary and how far its log went then, in this order: what was committed by then lies before that position.
SELECT (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000)::text AS now_ms,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn()::text END AS lsn,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 8) END AS timeline,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system
