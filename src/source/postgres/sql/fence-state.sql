-- What a fence has to know of a server.
SELECT pg_catalog.pg_is_in_recovery()::text AS in_recovery,
       (SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user) AS is_superuser,
       -- As ALTER SYSTEM put it, whether or not it has been read since. The last one of a file counts.
       (SELECT setting FROM pg_catalog.pg_file_settings
         WHERE name = 'session_preload_libraries' AND sourcefile LIKE '%postgresql.auto.conf'
         ORDER BY seqno DESC LIMIT 1) AS preloaded,
       -- Whose own setting would stand before the server's.
       (SELECT pg_catalog.string_agg(DISTINCT COALESCE('the role ' || rolname, 'the database ' || datname, 'all roles'), ', ')
          FROM pg_catalog.pg_db_role_setting AS own
          LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = own.setrole
          LEFT JOIN pg_catalog.pg_database AS d ON d.oid = own.setdatabase,
               pg_catalog.unnest(own.setconfig) AS setting
         WHERE setting LIKE 'session_preload_libraries=%') AS exceptions,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts)::text AS prepared
