-- What holds the shop's tables together, and what is derived from them. Each step is run by itself.

-- step: keys
alter table orders add foreign key (customer_id) references customers;
alter table order_items add foreign key (order_id) references orders on delete cascade;
alter table order_items add foreign key (product_id) references products;
alter table payments add foreign key (order_id) references orders;

-- step: indexes
create unique index customers_email_key on customers (lower(email));
create index orders_customer_id_idx on orders (customer_id, ordered_at desc);
create index orders_open_idx on orders (ordered_at) where status in ('new', 'paid');
create index order_items_product_id_idx on order_items (product_id);
create index payments_order_id_idx on payments (order_id);
create index events_payload_idx on events using gin (payload jsonb_path_ops);

-- step: views
create view unpaid_orders as
select orders.id, orders.customer_id, orders.total, orders.ordered_at
from orders
left join payments on payments.order_id = orders.id
where payments.id is null and orders.status <> 'cancelled';

create materialized view sales_per_day as
select
  (paid_at at time zone 'UTC')::date as day,
  count(distinct order_id) as orders,
  sum(amount) as revenue,
  round(avg(amount), 2) as average
from payments
group by day;

create unique index sales_per_day_key on sales_per_day (day);

create function record_status_change() returns trigger language plpgsql as $$
begin
  insert into events (kind, payload)
  values ('order.status', jsonb_build_object('order', new.id, 'from', old.status, 'to', new.status));
  return new;
end
$$;

create trigger orders_status_change after update of status on orders
for each row when (old.status is distinct from new.status) execute function record_status_change();

comment on table payments is 'What customers paid; in parts, they add up to the order''s total.';

-- step: statistics
analyze;
