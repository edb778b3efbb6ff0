-- One of everything that a database can hold and that a backup could lose. Needs the roles app_owner, app_reader and "Größe Rolle".
CREATE SCHEMA shop AUTHORIZATION app_owner;
CREATE SCHEMA "Ünï ""quoted"".schema";
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA shop;
COMMENT ON EXTENSION pg_trgm IS 'a comment of our own';
COMMENT ON SCHEMA shop IS 'the shop''s schema';

CREATE TYPE shop.mood AS ENUM ('sad', 'it''s ok', 'happy; very');
CREATE DOMAIN shop.percent AS numeric(5, 2) DEFAULT 0 CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE shop.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE shop.address AS (street text, "house number" int);
COMMENT ON TYPE shop.mood IS 'how one feels';

CREATE FUNCTION shop.double_it(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.touched := coalesce(NEW.touched, 0) + 1; -- a restore must not fire this
  RETURN NEW;
END $body$;
CREATE FUNCTION shop.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE AGGREGATE shop.total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE COLLATION shop.plain (provider = libc, locale = 'C');

CREATE TABLE shop.customers (
  id bigint GENERATED ALWAYS AS IDENTITY (START 1000 INCREMENT 7) PRIMARY KEY,
  name text NOT NULL COLLATE shop.plain,
  mood shop.mood,
  discount shop.percent,
  home shop.address,
  tags text[],
  grid int[][],
  extra jsonb,
  photo bytea,
  active shop.span,
  touched int,
  score double precision,
  born timestamptz,
  seen timestamp,
  price numeric,
  length_twice int GENERATED ALWAYS AS (length(name) * 2) STORED,
  favourite bigint
);
COMMENT ON TABLE shop.customers IS 'people; and "others"';
COMMENT ON COLUMN shop.customers.name IS E'first\nlast';
INSERT INTO shop.customers (name, mood, discount, home, tags, grid, extra, photo, active, touched, score, born, seen, price)
SELECT 'name ' || n, (enum_range(NULL::shop.mood))[1 + n % 3], n % 100, ROW('street ' || n, n)::shop.address,
  ARRAY['a', 'b,c', NULL, '"' || n || '"', '{}'], ARRAY[[n, 2], [3, NULL]], jsonb_build_object('n', n, 'é', '\"'),
  decode(md5(n::text), 'hex'), shop.span(n, n + 0.1), n, n / 3.0, now() - n * interval '1 hour', now(), n / 7.0
FROM generate_series(1, 2000) AS n;
INSERT INTO shop.customers (name, score, born, seen, price) VALUES
  (E'tab\there\\ \r\n\\. \\N newline', 'NaN', 'infinity', '-infinity', 'NaN'),
  ('', '-Infinity', '0044-03-15 12:00:00 BC', '4713-01-01 00:00:00 BC', 'Infinity'),
  ('\N', '1e-320', '294276-12-31 23:59:59.999999+00', '1999-12-31 23:59:59.5', 0.10000000000000000000000000000000001),
  (repeat('ж', 5000), 0.1 + 0.2::float8, NULL, NULL, -0.0);
DELETE FROM shop.customers WHERE id % 5 = 0;
UPDATE shop.customers SET touched = 0 WHERE id % 3 = 0;

CREATE TABLE shop.orders (id int PRIMARY KEY, customer bigint REFERENCES shop.customers DEFERRABLE INITIALLY DEFERRED, replaces int);
INSERT INTO shop.orders SELECT n, (SELECT max(id) FROM shop.customers), nullif(n - 1, 0) FROM generate_series(1, 500) AS n;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE shop.orders ADD CONSTRAINT "replaces; another" FOREIGN KEY (replaces) REFERENCES shop.orders NOT VALID;
ALTER TABLE shop.customers ADD FOREIGN KEY (favourite) REFERENCES shop.orders ON DELETE SET NULL;
UPDATE shop.customers SET favourite = 1 WHERE id < 1100;
SET CONSTRAINTS ALL IMMEDIATE;
CREATE UNIQUE INDEX "a partial index" ON shop.customers ((lower(name)), id) WHERE mood IS NOT NULL;
CREATE INDEX by_trigram ON shop.customers USING gin (name shop.gin_trgm_ops);
CREATE STATISTICS shop.name_mood (dependencies) ON name, mood FROM shop.customers;
ALTER TABLE shop.customers CLUSTER ON customers_pkey;
ALTER TABLE shop.customers ALTER COLUMN name SET STATISTICS 500;
ALTER TABLE shop.customers ADD CONSTRAINT "no % mood" CHECK (discount IS DISTINCT FROM 101) NO INHERIT;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.customers DISABLE TRIGGER touch;
ALTER TABLE shop.customers OWNER TO app_owner;

CREATE TABLE shop.booking (room int, during tsrange, EXCLUDE USING gist (during WITH &&));
INSERT INTO shop.booking VALUES (1, '[2020-01-01,2020-01-02)'), (2, 'empty');

CREATE TABLE shop.events (at date NOT NULL, kind text NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE shop.events_2024_a PARTITION OF shop.events_2024 FOR VALUES IN ('a');
CREATE TABLE shop.events_2024_rest (what text, kind text NOT NULL, at date NOT NULL);
ALTER TABLE shop.events_2024 ATTACH PARTITION shop.events_2024_rest DEFAULT;
CREATE TABLE shop.events_default PARTITION OF shop.events DEFAULT;
CREATE INDEX ON shop.events (kind);
INSERT INTO shop.events SELECT date '2023-12-01' + n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, 'x' || n FROM generate_series(1, 600) AS n;
CREATE TABLE shop.hashed (id int, t text) PARTITION BY HASH (t);
CREATE TABLE shop.hashed_0 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE shop.hashed_1 PARTITION OF shop.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shop.hashed SELECT n, 't' || n FROM generate_series(1, 50) AS n;

CREATE TABLE shop.animal (name text, legs int DEFAULT 4);
CREATE TABLE shop.dog (breed text) INHERITS (shop.animal);
INSERT INTO shop.animal VALUES ('a snail', 1);
INSERT INTO shop.dog VALUES ('rex', 4, 'unknown'), ('tripod', 3, NULL);

CREATE TABLE shop.dropped (a int, b text, c int);
INSERT INTO shop.dropped VALUES (1, 'gone', 3);
ALTER TABLE shop.dropped DROP COLUMN b, ADD COLUMN d int DEFAULT 9;

CREATE TABLE "Ünï ""quoted"".schema"."a
newline.table ""é"" $1 * ? [a] \x % " ("col
umn" int, "ж "" , )" text, "select" text);
INSERT INTO "Ünï ""quoted"".schema"."a
newline.table ""é"" $1 * ? [a] \x % " VALUES (1, E'\\.', 'x'), (2, E'\\.\n\n\n', NULL);
COMMENT ON COLUMN "Ünï ""quoted"".schema"."a
newline.table ""é"" $1 * ? [a] \x % "."ж "" , )" IS 'ж';
CREATE TABLE "Ünï ""quoted"".schema"."Orders" (i int);
CREATE TABLE "Ünï ""quoted"".schema"."ORDERS" (i int);
CREATE TABLE "Ünï ""quoted"".schema".orders (i int);
INSERT INTO "Ünï ""quoted"".schema"."Orders" VALUES (1);
INSERT INTO "Ünï ""quoted"".schema"."ORDERS" VALUES (2);
INSERT INTO "Ünï ""quoted"".schema".orders VALUES (3);

-- Names that would shadow the system's, were they looked for by search_path.
CREATE TABLE public.pg_class (relname text);
INSERT INTO public.pg_class VALUES ('not the catalogue');
CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'hostile' $$;
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE sql AS $$ SELECT 'hostile' $$;

CREATE TABLE public.no_columns ();
INSERT INTO public.no_columns DEFAULT VALUES;
INSERT INTO public.no_columns DEFAULT VALUES;
CREATE TABLE public.only_generated (a int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO public.only_generated DEFAULT VALUES;
CREATE TABLE public.empty_one (a int, b text);
CREATE UNLOGGED TABLE public.unlogged_one AS SELECT n FROM generate_series(1, 10) AS n;
CREATE TABLE public.large_value (id int, body text);
ALTER TABLE public.large_value ALTER COLUMN body SET STORAGE EXTERNAL;
INSERT INTO public.large_value SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 393216) AS n;
CREATE TABLE public.typed OF shop.address;
INSERT INTO public.typed VALUES ('of a type', 1);

-- As many columns as a table can have.
DO $$ BEGIN EXECUTE (
  SELECT pg_catalog.format('CREATE TABLE public.widest (%s)', string_agg(pg_catalog.format('c%s %s', n, (ARRAY['int', 'bool', '"char"'])[1 + n % 3]), ', '))
  FROM generate_series(1, 1600) AS n);
END $$;
DO $$ BEGIN EXECUTE (
  SELECT pg_catalog.format('INSERT INTO public.widest VALUES (%s)',
    string_agg(CASE WHEN n % 7 = 0 THEN 'NULL' ELSE (ARRAY['7', 'true', quote_literal('x')])[1 + n % 3] END, ', '))
  FROM generate_series(1, 1600) AS n);
END $$;

CREATE SEQUENCE shop.odd AS smallint INCREMENT -3 MINVALUE -100 MAXVALUE 100 START 50 CYCLE CACHE 5;
SELECT nextval('shop.odd') FROM generate_series(1, 7);
CREATE SEQUENCE shop.untouched START 42;
CREATE TABLE public.with_serial (id serial, x int);
INSERT INTO public.with_serial (x) SELECT n FROM generate_series(1, 33) AS n;

CREATE VIEW shop.happy WITH (security_barrier) AS SELECT id, name FROM shop.customers WHERE mood = 'happy; very' WITH CHECK OPTION;
CREATE MATERIALIZED VIEW shop.per_mood AS SELECT mood, count(*) AS n FROM shop.customers GROUP BY mood;
CREATE UNIQUE INDEX ON shop.per_mood (mood);
CREATE MATERIALIZED VIEW shop.never_filled AS SELECT 1 AS one WITH NO DATA;
CREATE RULE keep_out AS ON DELETE TO shop.orders DO INSTEAD NOTHING;

ALTER TABLE shop.booking ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.booking FORCE ROW LEVEL SECURITY;
CREATE POLICY "see one's own" ON shop.booking FOR SELECT TO app_reader, "Größe Rolle" USING (room > 0);

CREATE PUBLICATION "all; of it" FOR TABLE shop.orders WHERE (id > 3), shop.booking WITH (publish = 'insert');
GRANT USAGE ON SCHEMA shop TO app_reader, "Größe Rolle";
GRANT SELECT, UPDATE (name) ON shop.customers TO app_reader WITH GRANT OPTION;
GRANT ALL ON shop.orders TO "Größe Rolle";
GRANT USAGE ON SEQUENCE shop.odd TO app_reader;
REVOKE EXECUTE ON FUNCTION shop.double_it FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.double_it TO app_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA shop GRANT SELECT ON TABLES TO app_reader;

SELECT lo_from_bytea(700001, decode(repeat('00ff10', 100000), 'hex'));
SELECT lo_from_bytea(700002, '');
COMMENT ON LARGE OBJECT 700001 IS 'a picture';
ALTER LARGE OBJECT 700001 OWNER TO app_owner;
GRANT SELECT ON LARGE OBJECT 700001 TO app_reader;

CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION shop.on_ddl();
