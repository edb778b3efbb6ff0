-- What the server's files say of settings: of several lines the last one counts. $1: their names.
SELECT DISTINCT ON (name) name, setting, sourcefile AS file
  FROM pg_catalog.pg_file_settings
 WHERE name = ANY (pg_catalog.string_to_array($1, ','))
 ORDER BY name, seqno DESC
