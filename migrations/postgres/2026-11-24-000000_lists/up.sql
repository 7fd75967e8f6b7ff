-- What lists of orders are found by, and what their page tokens are signed with.

CREATE INDEX purchase_order_by_reference ON purchase_order (store_id, supplier_reference, create_time, po_id)
    WHERE supplier_reference IS NOT NULL;
CREATE INDEX purchase_order_back_orders ON purchase_order (store_id, create_time, po_id) WHERE parent_id IS NOT NULL;

-- One row for the whole database: every instance signs and reads page tokens with the same secret.
CREATE TABLE page_token_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL CHECK (length(secret) = 64)
);

-- gen_random_uuid() draws from the server's strong random source: 122 bits each.
INSERT INTO page_token_key (id, secret) VALUES (1, replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
