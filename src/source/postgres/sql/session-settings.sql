-- What pg_dump and pg_restore fix for their sessions, and the time zone, so that values read the same on every server.
-- Settings that this version of the server does not have are left out.
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
FROM (VALUES
  ('datestyle', 'ISO, MDY'),
  ('intervalstyle', 'postgres'),
  ('timezone', 'UTC'),
  ('extra_float_digits', '3'),
  ('bytea_output', 'hex'),
  ('xmloption', 'content'),
  ('search_path', ''),
  ('row_security', 'off'),
  ('synchronize_seqscans', 'off'),
  ('quote_all_identifiers', 'off'),
  ('standard_conforming_strings', 'on'),
  ('default_transaction_read_only', 'off'),
  ('statement_timeout', '0'),
  ('lock_timeout', '0'),
  ('idle_in_transaction_session_timeout', '0'),
  ('idle_session_timeout', '0'),
  ('transaction_timeout', '0')
) AS wanted (name, value)
WHERE EXISTS (SELECT FROM pg_catalog.pg_settings AS known WHERE pg_catalog.lower(known.name) = wanted.name)
