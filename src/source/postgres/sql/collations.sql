-- Whether this machine sorts texts as the one did that the database comes from, as far as that matters to an index.
SELECT (EXISTS (SELECT FROM pg_catalog.pg_database d
                 WHERE d.datname = pg_catalog.current_database()
                   AND d.datcollversion IS NOT NULL
                   AND d.datcollversion IS DISTINCT FROM pg_catalog.pg_database_collation_actual_version(d.oid))
     OR EXISTS (SELECT FROM pg_catalog.pg_index i
                CROSS JOIN LATERAL pg_catalog.unnest(i.indcollation) AS used (oid)
                JOIN pg_catalog.pg_collation c ON c.oid = used.oid
                 WHERE c.collversion IS NOT NULL
                   AND c.collversion IS DISTINCT FROM pg_catalog.pg_collation_actual_version(c.oid)))::text AS differ
