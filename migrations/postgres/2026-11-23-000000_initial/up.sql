-- A purchase order service's schema. Every key leads with store_id: the store is the unit of
-- consistency and of sharding. Quantities are ten-thousandths of a unit, costs of a unit are millionths
-- and amounts ten-thousandths of the currency's unit, all in BIGINT. Times are microseconds since
-- 1970-01-01 UTC. Dates are ISO 8601 text in the store's time zone. There are no foreign keys on
-- lines, receipts and the ledger: writes go through one code path, the `verify` command checks
-- what they would, and they were measured at 40 % of the database's CPU on large orders.

CREATE TABLE store (
    store_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL,
    -- ISO 4217, fixed at creation.
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    -- IANA name.
    time_zone TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    -- Whether a completion may make a back order.
    back_orders_enabled BOOLEAN NOT NULL,
    -- How much more than ordered may be received of a line, in ten-thousandths of a per cent.
    over_receipt_tolerance BIGINT NOT NULL CHECK (over_receipt_tolerance BETWEEN 0 AND 10000000),
    -- Whether an adjustment may take out more than is on hand.
    allow_negative_stock BOOLEAN NOT NULL,
    -- Whether a receipt may bring what its order does not name, or what was cancelled of it.
    allow_unlisted_items BOOLEAN NOT NULL,
    -- Purchase orders that are neither COMPLETED nor CANCELLED.
    open_orders BIGINT NOT NULL CHECK (open_orders >= 0),
    -- The number in the last PO-000001 given out.
    last_order_number BIGINT NOT NULL CHECK (last_order_number >= 0),
    -- The last event's number and time; the store's clock never runs behind the latter.
    last_event BIGINT NOT NULL CHECK (last_event >= 1),
    last_event_time BIGINT NOT NULL,
    -- The first event that is still kept: 1, unless events are deleted after a retention.
    first_event BIGINT NOT NULL CHECK (first_event BETWEEN 1 AND last_event)
) WITH (fillfactor = 70);

-- What a role allows, from one event to another (exclusive). Rows are closed, never deleted. A role
-- exists while it has a row that is not closed.
CREATE TABLE role_permission (
    store_id TEXT COLLATE "C" NOT NULL,
    role_id TEXT COLLATE "C" NOT NULL,
    permission TEXT COLLATE "C" NOT NULL,
    from_event BIGINT NOT NULL,
    to_event BIGINT CHECK (to_event > from_event),
    PRIMARY KEY (store_id, role_id, permission, from_event)
);

-- Who holds a role, from one event to another (exclusive). Rows are closed, never deleted.
CREATE TABLE role_grant (
    store_id TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    role_id TEXT COLLATE "C" NOT NULL,
    from_event BIGINT NOT NULL,
    to_event BIGINT CHECK (to_event > from_event),
    PRIMARY KEY (store_id, principal, role_id, from_event)
);

-- Which stores a principal has a role in: the one index that does not lead with store_id.
CREATE INDEX role_grant_by_principal ON role_grant (principal, store_id) WHERE to_event IS NULL;

CREATE TABLE purchase_order (
    store_id TEXT COLLATE "C" NOT NULL,
    -- UUID.
    po_id TEXT COLLATE "C" NOT NULL CHECK (length(po_id) = 36),
    -- PO-000001, or PO-000001-B1 for a back order.
    number TEXT COLLATE "C" NOT NULL,
    -- The order whose pending quantities this back order carries.
    parent_id TEXT COLLATE "C",
    -- The chain's original order; its own id for an original.
    root_id TEXT COLLATE "C" NOT NULL,
    -- 0 for the original, 1 for its first back order ...
    chain_position INTEGER NOT NULL CHECK (chain_position >= 0),
    supplier_id TEXT COLLATE "C" NOT NULL,
    supplier_reference TEXT COLLATE "C",
    note TEXT,
    -- The caller's own id.
    external_id TEXT COLLATE "C",
    -- What is paid besides the lines: a JSON array of descriptions and amounts.
    charges TEXT NOT NULL,
    currency TEXT NOT NULL,
    expected_date TEXT COLLATE "C",
    create_time BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- The number of the event that created it: lists are in this order where times are alike.
    create_event BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('DRAFT', 'ON_ORDER', 'RECEIVING', 'COMPLETED', 'CANCELLED')),
    -- Moved by every event of this order; callers see it as the etag.
    revision BIGINT NOT NULL CHECK (revision >= 1),
    -- When it was ordered from the supplier, as told; when that was recorded; the chain's first.
    order_time BIGINT,
    place_time BIGINT,
    placed_by TEXT,
    original_order_time BIGINT,
    -- When and by whom it was completed or cancelled, and why it or a part of it was cancelled.
    close_time BIGINT,
    closed_by TEXT,
    cancel_reason TEXT,
    -- The kind of that reason, if one was given.
    cancel_reason_code TEXT CHECK (cancel_reason_code IN
        ('OUT_OF_STOCK', 'DISCONTINUED', 'LATE', 'PRICE', 'NO_LONGER_NEEDED', 'DUPLICATE', 'ORDERED_BY_MISTAKE', 'OTHER')),
    -- The back order that carries what this order left pending.
    child_id TEXT COLLATE "C",
    -- The highest n of a PO-000001-Bn that the chain had given out up to this order's back order, those included that
    -- were folded back.
    last_back_order INTEGER NOT NULL CHECK (last_back_order >= chain_position),
    -- Whether the order that it followed was reopened: it is cancelled then, and in no chain any more.
    folded_back BOOLEAN NOT NULL,
    -- Whether its terms were changed after it was placed: by an amendment or a confirmation.
    terms_changed BOOLEAN NOT NULL,
    -- Counters over its lines and receipts, so that a rule need not load them.
    line_count INTEGER NOT NULL CHECK (line_count BETWEEN 1 AND 5000),
    -- The highest number of a line on it and on the orders of its chain before it: a new line gets the next.
    last_line INTEGER NOT NULL CHECK (last_line >= line_count),
    pending_lines INTEGER NOT NULL CHECK (pending_lines BETWEEN 0 AND line_count),
    active_receipts INTEGER NOT NULL CHECK (active_receipts >= 0),
    last_receipt INTEGER NOT NULL CHECK (last_receipt >= active_receipts),
    receipt_items INTEGER NOT NULL CHECK (receipt_items >= 0),
    ordered BIGINT NOT NULL CHECK (ordered >= 0),
    received BIGINT NOT NULL CHECK (received >= 0),
    rejected BIGINT NOT NULL CHECK (rejected >= 0),
    back_ordered BIGINT NOT NULL CHECK (back_ordered >= 0),
    cancelled BIGINT NOT NULL CHECK (cancelled >= 0),
    pending BIGINT NOT NULL CHECK (pending >= 0),
    excess BIGINT NOT NULL CHECK (excess >= 0),
    -- Sums of rounded values: what is ordered and pending over the lines, what was accepted over the items
    -- of active receipts.
    ordered_cost BIGINT NOT NULL CHECK (ordered_cost >= 0),
    pending_cost BIGINT NOT NULL CHECK (pending_cost >= 0),
    received_cost BIGINT NOT NULL CHECK (received_cost BETWEEN 0 AND 1000000000000000),
    PRIMARY KEY (store_id, po_id),
    CONSTRAINT purchase_order_equation CHECK (ordered + excess = received + back_ordered + cancelled + pending),
    CONSTRAINT purchase_order_chain CHECK ((parent_id IS NULL) = (chain_position = 0)),
    CONSTRAINT purchase_order_folded CHECK (NOT folded_back OR (state = 'CANCELLED' AND parent_id IS NOT NULL)),
    CONSTRAINT purchase_order_placed CHECK (
        state IN ('DRAFT', 'CANCELLED') OR (order_time IS NOT NULL AND place_time IS NOT NULL AND original_order_time IS NOT NULL AND placed_by IS NOT NULL)
    ),
    CONSTRAINT purchase_order_closed CHECK (
        (state IN ('COMPLETED', 'CANCELLED')) = (close_time IS NOT NULL) AND (close_time IS NULL) = (closed_by IS NULL)
    ),
    CONSTRAINT purchase_order_receiving CHECK ((state IN ('DRAFT', 'ON_ORDER')) <= (active_receipts = 0) AND (state = 'RECEIVING') <= (active_receipts > 0)),
    CONSTRAINT purchase_order_settled CHECK (
        (state = 'COMPLETED') <= (pending = 0 AND received > 0 AND (back_ordered > 0) = (child_id IS NOT NULL))
        AND (state = 'CANCELLED') <= (pending = 0 AND received = 0 AND back_ordered = 0 AND child_id IS NULL)
    )
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX purchase_order_number ON purchase_order (store_id, number);
CREATE UNIQUE INDEX purchase_order_one_child ON purchase_order (store_id, parent_id) WHERE parent_id IS NOT NULL AND NOT folded_back;
-- What the orders of a chain are found by, those included that were folded back. Of the others each has a place of its own,
-- because each is the only child of its parent.
CREATE INDEX purchase_order_chain_position ON purchase_order (store_id, root_id, chain_position);
CREATE UNIQUE INDEX purchase_order_external_id ON purchase_order (store_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX purchase_order_newest ON purchase_order (store_id, create_time, create_event);
CREATE INDEX purchase_order_by_state ON purchase_order (store_id, state, create_time, create_event);
CREATE INDEX purchase_order_by_supplier ON purchase_order (store_id, supplier_id, create_time, create_event);
-- What reports find the chains of a period by. None of its columns changes once the original is placed.
CREATE INDEX purchase_order_chains ON purchase_order (store_id, original_order_time, supplier_id, po_id)
    WHERE parent_id IS NULL AND original_order_time IS NOT NULL;

CREATE TABLE purchase_order_line (
    store_id TEXT COLLATE "C" NOT NULL,
    po_id TEXT COLLATE "C" NOT NULL,
    -- 1 ... n as given; kept by back orders, never reused. A line that is added later gets the next number of
    -- the chain.
    line_number INTEGER NOT NULL CHECK (line_number >= 1),
    product_id TEXT COLLATE "C" NOT NULL,
    description TEXT NOT NULL,
    gtin TEXT,
    -- The supplier's own code of the product; text for people.
    supplier_product_id TEXT,
    note TEXT,
    unit TEXT NOT NULL,
    -- Units in a pack.
    pack_size BIGINT CHECK (pack_size BETWEEN 1 AND 9999999999999),
    unit_cost BIGINT NOT NULL CHECK (unit_cost BETWEEN 0 AND 1000000000000000),
    -- What a pack costs, where the line is priced by the pack; unit_cost is then its rounded part.
    pack_cost BIGINT CHECK (pack_cost BETWEEN 0 AND 1000000000000000),
    -- Over-receipt tolerance in ten-thousandths of a per cent; the store's where there is none.
    tolerance BIGINT CHECK (tolerance BETWEEN 0 AND 10000000),
    -- Whether what is accepted of it must be divided into lots.
    lot_required BOOLEAN NOT NULL,
    -- Whether it carries what the parent order's line of this number left pending.
    carried_over BOOLEAN NOT NULL,
    -- The first promise along the chain.
    first_expected_date TEXT,
    -- Ordered when first placed; never changes.
    first_ordered BIGINT NOT NULL CHECK (first_ordered BETWEEN 0 AND 9999999999999),
    -- How much of it the supplier has confirmed; none if nothing is known.
    confirmed BIGINT CHECK (confirmed BETWEEN 0 AND 9999999999999),
    -- The line's own date; the order's counts where there is none.
    expected_date TEXT,
    ordered BIGINT NOT NULL CHECK (ordered BETWEEN 0 AND 9999999999999),
    -- Accepted, staged included.
    received BIGINT NOT NULL CHECK (received >= 0),
    -- Rejected on delivery; not part of the equation.
    rejected BIGINT NOT NULL CHECK (rejected >= 0),
    back_ordered BIGINT NOT NULL CHECK (back_ordered >= 0),
    cancelled BIGINT NOT NULL CHECK (cancelled >= 0),
    pending BIGINT NOT NULL CHECK (pending >= 0),
    -- Received beyond what was wanted.
    excess BIGINT NOT NULL CHECK (excess >= 0),
    -- Went back to the supplier after the completion; not part of the equation.
    returned BIGINT NOT NULL CHECK (returned BETWEEN 0 AND received),
    -- Earliest and latest receive_time over active receipts; when back_ordered moved on.
    first_receive_time BIGINT,
    last_receive_time BIGINT,
    back_order_time BIGINT,
    -- When it is due while it is outstanding: pending on an order that is ON_ORDER or RECEIVING. The line's own date, else
    -- the order's, or 'none', which is behind every date in the order of text. Null for a line that is not outstanding.
    due_date TEXT COLLATE "C" CHECK (due_date = 'none' OR length(due_date) = 10),
    PRIMARY KEY (store_id, po_id, line_number),
    CONSTRAINT purchase_order_line_equation CHECK (ordered + excess = received + back_ordered + cancelled + pending),
    CONSTRAINT purchase_order_line_excess CHECK (excess = 0 OR back_ordered + pending = 0),
    CONSTRAINT purchase_order_line_pack CHECK (pack_cost IS NULL OR pack_size IS NOT NULL)
) WITH (fillfactor = 70);

-- Orders by product. A back order's carried-over lines are found through the chain's original, which
-- spares a completion one write at a random place per line.
CREATE INDEX purchase_order_line_by_product ON purchase_order_line (store_id, product_id, po_id) WHERE NOT carried_over;
-- The same by the number under the bar code, whose forms differ in leading zeros.
CREATE INDEX purchase_order_line_by_gtin ON purchase_order_line (store_id, ltrim(gtin, '0'), po_id)
    WHERE gtin IS NOT NULL AND NOT carried_over;

-- Outstanding lines in the order in which they are due: of a store, and of a product.
CREATE INDEX purchase_order_line_due ON purchase_order_line (store_id, due_date, po_id, line_number) WHERE due_date IS NOT NULL;
CREATE INDEX purchase_order_line_due_product ON purchase_order_line (store_id, product_id, due_date, po_id, line_number)
    WHERE due_date IS NOT NULL;

-- What was cancelled of a line, by the event that cancelled it; the line has the sum.
CREATE TABLE line_cancellation (
    store_id TEXT COLLATE "C" NOT NULL,
    po_id TEXT COLLATE "C" NOT NULL,
    line_number INTEGER NOT NULL,
    event_number BIGINT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    -- The line's own; where there is none, cancel_reason of the order counts.
    reason TEXT,
    -- The kind of the line's own reason, if one was given. Where it has neither, that of the order counts.
    reason_code TEXT CHECK (reason_code IN
        ('OUT_OF_STOCK', 'DISCONTINUED', 'LATE', 'PRICE', 'NO_LONGER_NEEDED', 'DUPLICATE', 'ORDERED_BY_MISTAKE', 'OTHER')),
    PRIMARY KEY (store_id, po_id, line_number, event_number)
);

-- One delivery booked in. It stands until void_time is set.
CREATE TABLE receipt (
    store_id TEXT COLLATE "C" NOT NULL,
    po_id TEXT COLLATE "C" NOT NULL,
    -- 1, 2, 3 ... per order.
    receipt_number INTEGER NOT NULL CHECK (receipt_number >= 1),
    -- When the goods arrived, and when that was booked.
    receive_time BIGINT NOT NULL,
    book_time BIGINT NOT NULL,
    booked_by TEXT NOT NULL,
    -- The order's supplier.
    supplier_id TEXT COLLATE "C" NOT NULL,
    delivery_note TEXT COLLATE "C",
    -- UUID, the same for the receipts of one delivery over several orders.
    delivery_id TEXT CHECK (length(delivery_id) = 36),
    note TEXT,
    -- The receipt of the order in whose place it was booked; that one is voided.
    corrects INTEGER CHECK (corrects BETWEEN 1 AND receipt_number - 1),
    void_time BIGINT,
    voided_by TEXT,
    void_reason TEXT,
    PRIMARY KEY (store_id, po_id, receipt_number),
    CONSTRAINT receipt_void CHECK ((void_time IS NULL) = (voided_by IS NULL) AND (void_time IS NULL) = (void_reason IS NULL))
);

-- Lists of receipts, newest first: of a store, of a supplier, of a delivery note.
CREATE INDEX receipt_newest ON receipt (store_id, receive_time, po_id, receipt_number);
CREATE INDEX receipt_by_supplier ON receipt (store_id, supplier_id, receive_time, po_id, receipt_number);
CREATE INDEX receipt_by_note ON receipt (store_id, delivery_note, receive_time, po_id, receipt_number)
    WHERE delivery_note IS NOT NULL;
-- The same delivery note again.
CREATE INDEX receipt_by_delivery_note ON receipt (store_id, supplier_id, delivery_note, receive_time)
    WHERE delivery_note IS NOT NULL AND void_time IS NULL;

CREATE TABLE receipt_item (
    store_id TEXT COLLATE "C" NOT NULL,
    po_id TEXT COLLATE "C" NOT NULL,
    receipt_number INTEGER NOT NULL,
    line_number INTEGER NOT NULL,
    accepted BIGINT NOT NULL CHECK (accepted >= 0),
    -- The part of accepted that went beyond what was pending when it was booked.
    excess BIGINT NOT NULL CHECK (excess BETWEEN 0 AND accepted),
    rejected BIGINT NOT NULL CHECK (rejected >= 0),
    reject_reason TEXT CHECK (reject_reason IN ('DAMAGED', 'EXPIRED', 'WRONG_PRODUCT', 'QUALITY', 'NOT_ORDERED', 'OTHER')),
    reject_note TEXT,
    -- Invoiced costs of a unit; the line's cost where there is none. The second is for the excess.
    unit_cost BIGINT CHECK (unit_cost BETWEEN 0 AND 1000000000000000),
    excess_unit_cost BIGINT CHECK (excess_unit_cost BETWEEN 0 AND 1000000000000000),
    -- What accepted is worth, rounded once.
    value BIGINT NOT NULL CHECK (value >= 0),
    PRIMARY KEY (store_id, po_id, receipt_number, line_number),
    CONSTRAINT receipt_item_something CHECK (accepted + rejected > 0),
    CONSTRAINT receipt_item_reason CHECK ((rejected = 0) = (reject_reason IS NULL) AND (reject_reason <> 'OTHER' OR reject_note IS NOT NULL)),
    CONSTRAINT receipt_item_excess_cost CHECK (excess_unit_cost IS NULL OR excess > 0)
);

-- The lots of what was accepted, which add up to it. An item may have none.
CREATE TABLE receipt_lot (
    store_id TEXT COLLATE "C" NOT NULL,
    po_id TEXT COLLATE "C" NOT NULL,
    receipt_number INTEGER NOT NULL,
    line_number INTEGER NOT NULL,
    -- 1, 2, 3 ... per item, in the order in which they were given. The excess is the last of them.
    lot_number INTEGER NOT NULL CHECK (lot_number >= 1),
    lot_code TEXT COLLATE "C" NOT NULL,
    expiry_date TEXT COLLATE "C" CHECK (length(expiry_date) = 10),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (store_id, po_id, receipt_number, line_number, lot_number)
);

CREATE TABLE inventory_level (
    store_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    -- Fixed by the product's first line or adjustment in the store.
    unit TEXT NOT NULL,
    -- Available for sale.
    on_hand BIGINT NOT NULL,
    -- Received on orders that are ON_ORDER or RECEIVING.
    staged BIGINT NOT NULL CHECK (staged >= 0),
    -- Pending on orders that are ON_ORDER or RECEIVING; and the part that is on back orders.
    on_order BIGINT NOT NULL CHECK (on_order >= 0),
    back_ordered BIGINT NOT NULL CHECK (back_ordered BETWEEN 0 AND on_order),
    -- What a unit on hand costs on average: average_after of the last ledger row; 0 if there is none.
    average_cost BIGINT NOT NULL CHECK (average_cost BETWEEN 0 AND 1000000000000000),
    -- The number of the last ledger row.
    last_movement BIGINT NOT NULL CHECK (last_movement >= 0),
    PRIMARY KEY (store_id, product_id)
) WITH (fillfactor = 70);

-- What is on hand of each lot: the sum of its ledger rows. Stock that is in no lot has no row here. A lot that was
-- sold out keeps its row, by which goods that come back find their expiry date.
CREATE TABLE inventory_lot (
    store_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    lot_code TEXT COLLATE "C" NOT NULL,
    -- 'none' for goods that do not expire: it is behind every date in the order of text.
    expiry_date TEXT COLLATE "C" NOT NULL CHECK (expiry_date = 'none' OR length(expiry_date) = 10),
    on_hand BIGINT NOT NULL CHECK (on_hand >= 0),
    PRIMARY KEY (store_id, product_id, lot_code, expiry_date)
);

-- What is in stock in the order in which it is sold: of a product, and of the store.
CREATE INDEX inventory_lot_in_stock ON inventory_lot (store_id, product_id, expiry_date, lot_code) WHERE on_hand > 0;
CREATE INDEX inventory_lot_by_expiry ON inventory_lot (store_id, expiry_date, product_id, lot_code) WHERE on_hand > 0;

-- The stock ledger: append-only, see the triggers.
CREATE TABLE stock_movement (
    store_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    -- 1, 2, 3 ... per store and product.
    movement_number BIGINT NOT NULL CHECK (movement_number >= 1),
    kind TEXT NOT NULL
        CHECK (kind IN ('RECEIPT', 'RECEIPT_REVERSAL', 'SALE', 'CUSTOMER_RETURN', 'RETURN_TO_SUPPLIER', 'COUNT', 'LOSS')),
    quantity BIGINT NOT NULL CHECK (quantity <> 0),
    unit_cost BIGINT NOT NULL CHECK (unit_cost BETWEEN 0 AND 1000000000000000),
    balance_after BIGINT NOT NULL,
    -- The average cost of a unit afterwards.
    average_after BIGINT NOT NULL CHECK (average_after BETWEEN 0 AND 1000000000000000),
    create_time BIGINT NOT NULL,
    -- The event that wrote it.
    event_number BIGINT NOT NULL,
    -- The order and line by which the goods came: always of a RECEIPT and its
    -- RECEIPT_REVERSAL, and where it is known of a RETURN_TO_SUPPLIER.
    po_id TEXT COLLATE "C",
    line_number INTEGER,
    -- By which receipt, and when the goods arrived; of a RECEIPT and its reversal alone.
    receipt_number INTEGER,
    receive_time BIGINT,
    -- Why it was adjusted; of every kind but RECEIPT and its reversal: the event has the reason of that.
    reason TEXT,
    -- The lot that goods were put into or taken out of; none for goods in no lot.
    lot_code TEXT COLLATE "C",
    expiry_date TEXT COLLATE "C" CHECK (expiry_date IS NULL OR (length(expiry_date) = 10 AND lot_code IS NOT NULL)),
    PRIMARY KEY (store_id, product_id, movement_number),
    CONSTRAINT stock_movement_origin CHECK (
        (po_id IS NULL) = (line_number IS NULL)
        AND (kind IN ('RECEIPT', 'RECEIPT_REVERSAL')) <= (po_id IS NOT NULL)
        AND (po_id IS NOT NULL) <= (kind IN ('RECEIPT', 'RECEIPT_REVERSAL', 'RETURN_TO_SUPPLIER'))
        AND (kind IN ('RECEIPT', 'RECEIPT_REVERSAL')) = (receipt_number IS NOT NULL)
        AND (kind IN ('RECEIPT', 'RECEIPT_REVERSAL')) = (receive_time IS NOT NULL)
        AND (kind IN ('RECEIPT', 'RECEIPT_REVERSAL')) = (reason IS NULL)
    ),
    CONSTRAINT stock_movement_direction CHECK (
        (kind IN ('RECEIPT', 'CUSTOMER_RETURN')) <= (quantity > 0)
        AND (kind IN ('RECEIPT_REVERSAL', 'SALE', 'RETURN_TO_SUPPLIER', 'LOSS')) <= (quantity < 0)
    )
);

-- What the completions of an order put on hand: reopening it takes out what the last of them did.
CREATE INDEX stock_movement_by_order ON stock_movement (store_id, po_id, event_number) WHERE kind = 'RECEIPT';
-- What an event cancelled of an order: reopening it takes back what its last completion did.
CREATE INDEX line_cancellation_by_event ON line_cancellation (store_id, po_id, event_number);

-- What happened, per store numbered 1, 2, 3 ... without a gap.
CREATE TABLE event (
    store_id TEXT COLLATE "C" NOT NULL,
    event_number BIGINT NOT NULL CHECK (event_number >= 1),
    event_time BIGINT NOT NULL,
    -- Who, and whether as a platform operator rather than by a role.
    actor TEXT NOT NULL,
    as_operator BOOLEAN NOT NULL,
    event_type TEXT NOT NULL,
    -- For an order's event: the order, its revision and state afterwards.
    po_id TEXT COLLATE "C",
    revision BIGINT,
    state_after TEXT,
    -- Versioned JSON: the rest of the order's header afterwards. It ends with the numbers, in the order in which the
    -- `verify` command puts them together.
    order_after TEXT,
    -- Versioned JSON: what changed.
    detail TEXT NOT NULL,
    PRIMARY KEY (store_id, event_number),
    CONSTRAINT event_of_order CHECK (
        (po_id IS NULL) = (revision IS NULL) AND (po_id IS NULL) = (state_after IS NULL)
        AND (po_id IS NULL) = (order_after IS NULL)
    )
);

CREATE UNIQUE INDEX event_by_order ON event (store_id, po_id, revision) WHERE po_id IS NOT NULL;

-- The days, by the service's clock, on which it was seen to run. A record's age is counted in these, so
-- that a clock which jumps ahead once does not make it old.
CREATE TABLE clock_day (
    -- Days since 1970-01-01.
    day BIGINT NOT NULL PRIMARY KEY
);

-- The response to each request id, stored so that a retry gets it again.
CREATE TABLE stored_response (
    store_id TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    -- UUID.
    request_id TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the rpc and its request without the id, in hexadecimal.
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    create_time BIGINT NOT NULL,
    -- JSON: what the call made.
    outcome TEXT NOT NULL,
    PRIMARY KEY (store_id, principal, request_id)
);

CREATE INDEX stored_response_by_age ON stored_response (store_id, create_time);

CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the stock ledger is append-only';
END
$$;

CREATE TRIGGER stock_movement_no_update BEFORE UPDATE ON stock_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER stock_movement_no_delete BEFORE DELETE ON stock_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();

-- What lists of orders are found by, and what their page tokens are signed with.

CREATE INDEX purchase_order_by_reference ON purchase_order (store_id, lower(supplier_reference), create_time, create_event)
    WHERE supplier_reference IS NOT NULL;
-- By the order's own expected date; those without one are behind all others.
CREATE INDEX purchase_order_by_expected_date ON purchase_order (store_id, state, COALESCE(expected_date, 'none'), po_id);
CREATE INDEX purchase_order_back_orders ON purchase_order (store_id, create_time, create_event) WHERE parent_id IS NOT NULL;

-- One row for the whole database: every instance signs and reads page tokens with the same secret.
CREATE TABLE page_token_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    secret TEXT NOT NULL CHECK (length(secret) = 64)
);

-- gen_random_uuid() draws from the server's strong random source: 122 bits each.
INSERT INTO page_token_key (id, secret) VALUES (1, replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
