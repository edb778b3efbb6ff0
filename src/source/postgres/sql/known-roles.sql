-- Those of the roles that there are, whether or not they may log in, beside what this session may do.
SELECT r.rolname AS role, current_user AS login, (me.rolsuper OR me.rolcreaterole)::text AS may_change
  FROM pg_catalog.pg_roles AS me
  LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolname::text IN (SELECT pg_catalog.json_array_elements_text($1::json))
 WHERE me.rolname = current_user
