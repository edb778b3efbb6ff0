-- The shop's data, the same on every run: what looks random is a hash of the row's number.
-- shop.last_order_at, a setting of the session, is when the newest order came in.
-- Each step is run by itself, so that progress can be shown; its name stands in its first line.

-- step: tools
create function pg_temp.pick(row_number bigint, salt bigint, choices integer) returns integer
  language sql immutable
  return ((hashint8extended(row_number, salt) % choices + choices) % choices)::integer;

create function pg_temp.one_of(row_number bigint, salt bigint, choices text[]) returns text
  language sql immutable
  return choices[1 + pg_temp.pick(row_number, salt, cardinality(choices))];

-- step: customers
insert into customers (name, email, street, postal_code, city, country, newsletter, created_at)
select
  first_name || ' ' || last_name,
  -- Unique by its number, and plain ASCII as most addresses are.
  translate(lower(first_name || '.' || last_name), 'äöüßéèøåłñçáíóôêë ''-', 'aouseeoalncaiooee') || n || '@'
    || pg_temp.one_of(n, 3, '{example.com,example.org,example.net,mail.example,post.example}'),
  pg_temp.one_of(n, 4, '{High Street,Lindenallee,Rue de la Paix,Calle Mayor,Via Roma,Storgatan,Hafenstraße,Mill Lane,Kirchweg,Ulica Długa}')
    || ' ' || 1 + pg_temp.pick(n, 5, 180),
  lpad(pg_temp.pick(n, 6, 99999)::text, 5, '0'),
  place[1],
  place[2],
  pg_temp.pick(n, 7, 3) = 0,
  current_setting('shop.last_order_at')::timestamptz - make_interval(days => 545, secs => pg_temp.pick(n, 8, 63000000))
from generate_series(1, 20000) as n
cross join lateral (select
  pg_temp.one_of(n, 1, '{Anna,Ben,Clara,David,Élodie,Finn,Greta,Hannah,Ivo,Jonas,Katarzyna,Liam,Märta,Noah,Olivia,Paul,Quentin,Rosa,Søren,Theo,Ursula,Viktor,Wanda,Xavier,Yara,Zoë,Jürgen,Łukasz,Inês,Aoife}') as first_name,
  pg_temp.one_of(n, 2, '{Andersson,Becker,Côté,Díaz,Evans,Fischer,García,Hansen,Ivanova,Jensen,Kowalski,Lehmann,Müller,Nowak,O''Brien,Petrov,Quinn,Rossi,Schäfer,Taylor,Ünal,"van der Berg",Weiß,Young,Zimmermann,Nuñez,Brontë,Løvland,Smith-Jones,Ågren}') as last_name,
  string_to_array(pg_temp.one_of(n, 9, '{Berlin/DE,Köln/DE,Wien/AT,Zürich/CH,Paris/FR,Lyon/FR,Madrid/ES,Milano/IT,Göteborg/SE,København/DK,Kraków/PL,Dublin/IE,Leeds/GB,Utrecht/NL,Porto/PT}'), '/') as place
) as person;

-- step: products
insert into products (sku, name, description, price, stock, attributes)
select
  'HF-' || lpad(n::text, 5, '0'),
  adjective || ' ' || thing,
  'A ' || lower(adjective) || ' ' || lower(thing) || ' made of ' || material || E'.\nShips within '
    || 1 + pg_temp.pick(n, 16, 5) || ' days.',
  1.99 + pg_temp.pick(n, 14, 180) + pg_temp.pick(n, 15, 10) / 10.0,
  pg_temp.pick(n, 17, 400),
  jsonb_build_object(
    'material', material,
    'colours', jsonb_build_array(
      pg_temp.one_of(n, 18, '{black,white,sand,sea green}'), pg_temp.one_of(n, 19, '{rust,navy,kelp,slate}')),
    'weight_grams', 50 + pg_temp.pick(n, 20, 4000),
    'discontinued', pg_temp.pick(n, 21, 25) = 0)
from generate_series(1, 1000) as n
cross join lateral (select
  pg_temp.one_of(n, 11, '{Sturdy,Foldable,Quiet,Everyday,Travel,Classic,Waterproof,Small,Heavy,Coastal}') as adjective,
  pg_temp.one_of(n, 12, '{Backpack,Lantern,Kettle,Notebook,Blanket,Compass,Mug,Raincoat,Toolbox,Hammock,Knife,Tent,Thermos,Rope,Stove}') as thing,
  pg_temp.one_of(n, 13, '{canvas,steel,oak,wool,cork,recycled plastic,aluminium,linen}') as material
) as made;

-- step: order items
insert into order_items (order_id, position, product_id, quantity, unit_price)
select n, line, products.id, 1 + pg_temp.pick(n * 8 + line, 31, 3), products.price
from generate_series(1, 60000) as n
cross join lateral generate_series(1, 1 + pg_temp.pick(n, 32, 4)) as line
join products on products.id = 1 + pg_temp.pick(n * 8 + line, 33, 1000);

-- step: orders
insert into orders (id, customer_id, status, total, note, ordered_at)
select
  order_id,
  1 + pg_temp.pick(order_id, 41, 20000),
  -- The newest are still on their way; one in fifteen of the others was called off.
  case
    when pg_temp.pick(order_id, 42, 15) = 0 then 'cancelled'
    when order_id > 59800 then 'new'
    when order_id > 59000 then 'paid'
    when order_id > 57000 then 'shipped'
    else 'delivered'
  end::order_status,
  sum(line_total),
  case when pg_temp.pick(order_id, 43, 12) = 0
    then pg_temp.one_of(order_id, 44, '{"Please leave it with the neighbours.","Gift wrapping, please!","Ring twice; the bell is \"special\".","Bitte nicht knicken – danke."}')
  end,
  current_setting('shop.last_order_at')::timestamptz
    - make_interval(secs => (60000 - order_id) * 780 + pg_temp.pick(order_id, 45, 700) * (order_id < 60000)::integer)
from order_items
group by order_id
order by order_id;
select setval(pg_get_serial_sequence('orders', 'id'), 60000);

-- step: payments
-- One in twenty is paid in two parts; whatever the parts, they add up to the order's total.
insert into payments (order_id, method, amount, paid_at)
select
  id,
  (enum_range(null::payment_method))[1 + pg_temp.pick(id, 51, 4)],
  part.amount,
  ordered_at + make_interval(secs => 40 + pg_temp.pick(id, 52, 3600) + 86400 * (part.number - 1))
from orders
cross join lateral (select round(total * 0.3, 2) as deposit, pg_temp.pick(id, 53, 20) = 0 as in_parts) as terms
cross join lateral (
  select 1 as number, case when in_parts then deposit else total end as amount
  union all
  select 2, total - deposit where in_parts
) as part
where status in ('paid', 'shipped', 'delivered')
order by id, part.number;

-- step: events
insert into events (happened_at, kind, payload)
select
  orders.ordered_at + make_interval(secs => pg_temp.pick(n, 61, 600)),
  pg_temp.one_of(n, 62, '{order.viewed,order.confirmed,mail.sent,parcel.scanned,login}'),
  jsonb_build_object(
    'order', orders.id,
    'customer', orders.customer_id,
    'total', orders.total,
    'client', jsonb_build_object(
      'address', '203.0.113.' || pg_temp.pick(n, 63, 255), 'language', pg_temp.one_of(n, 64, '{de,en,fr,sv}')),
    'tags', to_jsonb(array[pg_temp.one_of(n, 65, '{web,app}'), pg_temp.one_of(n, 66, '{new,returning}')]),
    'referrer', case when pg_temp.pick(n, 67, 4) = 0 then 'https://search.example/?q=kettle&n=' || n end)
from generate_series(1, 20000) as n
join orders on orders.id = n * 3
order by n;
