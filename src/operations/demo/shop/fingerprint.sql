-- Everything of a database that a person could miss, but the rows of its tables: name and value.
-- What belongs to PostgreSQL itself or to an extension is left out.

with schemas as (
  select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
),
relations as (
  select pg_class.*, schemas.nspname, format('%I.%I', nspname, relname) as name
  from pg_class join schemas on schemas.oid = relnamespace
)
select 'schema ' || nspname as name, coalesce(obj_description(oid, 'pg_namespace'), '') as value from schemas

union all
select 'columns ' || name, string_agg(
    format('%s %s%s%s%s%s', quote_ident(attname), format_type(atttypid, atttypmod),
      case when attnotnull then ' not null' end,
      ' identity ' || nullif(attidentity::text, ''),
      ' generated ' || nullif(attgenerated::text, ''),
      ' default ' || pg_get_expr(adbin, adrelid)),
    ', ' order by attnum)
from relations
join pg_attribute on attrelid = relations.oid and attnum > 0 and not attisdropped
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where relkind in ('r', 'p', 'v', 'm')
group by name

union all
select 'view ' || name, pg_get_viewdef(oid) from relations where relkind in ('v', 'm')

union all
select 'comment ' || name, obj_description(oid, 'pg_class') from relations where obj_description(oid, 'pg_class') is not null

union all
select 'index ' || name, pg_get_indexdef(oid) || case when indisvalid then '' else ' (invalid)' end
from relations join pg_index on indexrelid = oid

union all
-- Not null stands with the columns; only newer versions list it here as well.
select format('constraint %s.%I', name, conname), pg_get_constraintdef(pg_constraint.oid) || case when convalidated then '' else ' (not validated)' end
from relations join pg_constraint on conrelid = relations.oid
where contype <> 'n'

union all
select format('trigger %s.%I', name, tgname), pg_get_triggerdef(pg_trigger.oid) || ' ' || tgenabled::text
from relations join pg_trigger on tgrelid = relations.oid
where not tgisinternal

union all
select format('function %I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)), pg_get_functiondef(pg_proc.oid)
from pg_proc join schemas on schemas.oid = pronamespace
where prokind in ('f', 'p')

union all
select format('enum %I.%I', nspname, typname), string_agg(quote_literal(enumlabel), ', ' order by enumsortorder)
from pg_type join schemas on schemas.oid = typnamespace join pg_enum on enumtypid = pg_type.oid
group by nspname, typname

union all
select format('domain %I.%I', nspname, typname), format_type(typbasetype, typtypmod) || coalesce((
    select string_agg(' ' || pg_get_constraintdef(pg_constraint.oid), '' order by conname) from pg_constraint where contypid = pg_type.oid), '')
from pg_type join schemas on schemas.oid = typnamespace
where typtype = 'd'

union all
select format('sequence %I.%I', schemaname, sequencename),
  format('last %s start %s by %s from %s to %s', coalesce(last_value::text, 'none'), start_value, increment_by, min_value, max_value)
from pg_sequences
