-- What is needed to change who gets in by which address. The file is shown to who may see it alone.
SELECT current_user AS login,
       (SELECT rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user) AS is_superuser,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'hba_file') AS hba_file,
       COALESCE(pg_catalog.host(pg_catalog.inet_client_addr()), 'local') AS came_from,
       pg_catalog.current_setting('server_encoding') AS encoding
