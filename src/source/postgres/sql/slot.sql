-- What the server keeps for one replication slot, whether or not it is there, and how far its log goes.
SELECT slot.slot_type,
       slot.restart_lsn::text AS restart_lsn,
       slot.active_pid::text AS active_pid,
       slot.wal_status,
       slot.safe_wal_size::text AS safe_wal_size,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_flush_lsn() END::text AS server_lsn,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size') AS segment_bytes
  FROM (SELECT $1::name AS wanted) AS asked
  LEFT JOIN pg_catalog.pg_replication_slots AS slot ON slot.slot_name = asked.wanted
