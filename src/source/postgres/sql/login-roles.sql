-- Those of the roles that may log in, beside what this session may do. One row without a role where there is none.
SELECT r.rolname AS role, current_user AS login, (me.rolsuper OR me.rolcreaterole)::text AS may_change
  FROM pg_catalog.pg_roles AS me
  LEFT JOIN pg_catalog.pg_roles AS r
    ON r.rolcanlogin AND r.rolname::text IN (SELECT pg_catalog.json_array_elements_text($1::json))
 WHERE me.rolname = current_user
