-- What lists of orders are found by, and what their page tokens are signed with.

CREATE INDEX purchase_order_by_reference ON purchase_order (store_id, supplier_reference, create_time, po_id)
    WHERE supplier_reference IS NOT NULL;
CREATE INDEX purchase_order_back_orders ON purchase_order (store_id, create_time, po_id) WHERE parent_id IS NOT NULL;

-- One row for the whole database: every instance signs and reads page tokens with the same secret.
CREATE TABLE page_token_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL CHECK (length(secret) = 64)
) STRICT;

INSERT INTO page_token_key (id, secret) VALUES (1, lower(hex(randomblob(32))));

-- SQLite plans by statistics, and without any it takes a store for 10 orders. These are made once and
-- for all, so that plans are those of a large store and do not change: how many rows, and how many of
-- them share the first column, the first two ...
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('purchase_order', 'purchase_order', '200000 20000 1'),
    ('purchase_order', 'purchase_order_number', '200000 20000 1'),
    ('purchase_order', 'purchase_order_one_child', '20000 2000 1'),
    ('purchase_order', 'purchase_order_chain_position', '200000 20000 2 1'),
    ('purchase_order', 'purchase_order_newest', '200000 20000 1 1'),
    ('purchase_order', 'purchase_order_by_state', '200000 20000 5000 1 1'),
    ('purchase_order', 'purchase_order_by_supplier', '200000 20000 200 1 1'),
    ('purchase_order', 'purchase_order_by_reference', '100000 10000 2 1 1'),
    ('purchase_order', 'purchase_order_back_orders', '20000 2000 1 1'),
    ('purchase_order_line', 'purchase_order_line', '2000000 200000 10 1'),
    ('purchase_order_line', 'purchase_order_line_by_product', '1800000 180000 40 1 1');
