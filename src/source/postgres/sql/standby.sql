-- How far a standby is, and what it knows of its primary's time. The moment comes before the position: the position is never
-- behind it. Everything that was committed before the time of a checkpoint lies before that checkpoint in the log.
SELECT pg_catalog.pg_is_in_recovery()::text AS in_recovery,
       (pg_catalog.date_part('epoch', pg_catalog.pg_last_xact_replay_timestamp()) * 1000)::text AS replayed_ms,
       pg_catalog.pg_last_wal_replay_lsn()::text AS replayed_lsn,
       (SELECT (pg_catalog.date_part('epoch', checkpoint_time) * 1000)::text FROM pg_catalog.pg_control_checkpoint()) AS checkpoint_ms,
       (SELECT full_page_writes::text FROM pg_catalog.pg_control_checkpoint()) AS full_page_writes,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system
