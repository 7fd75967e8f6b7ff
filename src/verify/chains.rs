//! Invariants 2 and 3: a chain, which is an order and the back orders that follow it one after another. A back order that
//! was folded back is in no chain: it keeps the parent, the place and the number that it had, and nothing adds it up.
//!
//! What an order leaves pending moves to its back order, so a quantity may be lost or doubled between two orders
//! although each of them is consistent by itself. These checks compare neighbours, and add up whole chains.

use super::check::Check;

/// The checks of quantities along chains (invariant 2) and of how chains are linked (invariant 3).
pub(super) const CHECKS: &[Check] = &[
    Check {
        invariant: 2,
        title: "a carried-over line begins with what its parent line back-ordered",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': began with {q:' || l.first_ordered
                || '}, but {q:' || p.back_ordered || '} of that line were back-ordered' AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            JOIN purchase_order_line p ON p.store_id = o.store_id AND p.po_id = o.parent_id
                AND p.line_number = l.line_number
            WHERE o.store_id = {store} AND NOT o.folded_back AND l.first_ordered <> p.back_ordered",
    },
    Check {
        invariant: 2,
        title: "a line is carried over if, and only if, the order before has its line",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || CASE WHEN l.carried_over
                THEN ' is not a line of the order that it follows' ELSE ' is new, but the order that it follows has it' END
                AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            LEFT JOIN purchase_order_line p ON p.store_id = o.store_id AND p.po_id = o.parent_id
                AND p.line_number = l.line_number
            WHERE o.store_id = {store} AND l.carried_over <> (p.product_id IS NOT NULL)",
    },
    Check {
        invariant: 2,
        title: "every back-ordered line has its line on the back order",
        sql: "
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': {q:' || l.back_ordered
                || '} were back-ordered, and no line of a back order carries them' AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
            LEFT JOIN purchase_order c ON c.store_id = o.store_id AND c.parent_id = o.po_id AND NOT c.folded_back
            LEFT JOIN purchase_order_line k ON k.store_id = c.store_id AND k.po_id = c.po_id
                AND k.line_number = l.line_number
            WHERE o.store_id = {store} AND l.back_ordered > 0 AND k.product_id IS NULL",
    },
    Check {
        invariant: 2,
        title: "what is ordered of a line differs from what was first placed only if the order was amended since",
        // Events before the first that is kept prove nothing: an order whose creation is not kept may have been
        // amended before it.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'line ' || l.line_number || ' of ' || o.number || ': ordered {q:' || l.ordered
                || '}, but {q:' || l.first_ordered || '} when it was first placed' AS detail
            FROM purchase_order_line l JOIN purchase_order o USING (store_id, po_id) CROSS JOIN retained k
            WHERE l.store_id = {store} AND l.ordered <> l.first_ordered AND o.create_event >= k.first
              AND NOT EXISTS (
                SELECT 1 FROM event e WHERE e.store_id = {store} AND e.po_id = o.po_id AND e.event_type = 'ORDER_AMENDED'
                    AND e.state_after <> 'DRAFT')",
    },
    Check {
        invariant: 2,
        title: "over a chain, what was placed and changed is what was received, cancelled or is pending",
        // `latest`: the position of each chain's last order, the only one whose pending quantity still counts: what
        // was pending on an earlier one became ordered on the next. `chain`: per line number, what the order
        // placed on which the line first stands, and what all orders of the chain did with it.
        sql: "
            WITH latest AS (
                SELECT root_id, max(chain_position) AS chain_position FROM purchase_order
                WHERE store_id = {store} AND NOT folded_back GROUP BY root_id),
            chain AS (
                SELECT o.root_id, l.line_number, min(o.number) AS number,
                    sum(CASE WHEN l.carried_over THEN 0 ELSE l.first_ordered END) AS placed,
                    sum(l.ordered - l.first_ordered) AS changed, sum(l.excess) AS excess,
                    sum(l.received) AS received, sum(l.cancelled) AS cancelled,
                    sum(CASE WHEN o.chain_position = e.chain_position THEN l.pending ELSE 0 END) AS pending
                FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id)
                JOIN latest e ON e.root_id = o.root_id
                WHERE o.store_id = {store} AND NOT o.folded_back
                GROUP BY o.root_id, l.line_number)
            SELECT 'line ' || line_number || ' of the chain of ' || number || ': placed {q:' || placed
                || '} + changed {q:' || changed || '} + excess {q:' || excess || '} is not received {q:' || received
                || '} + cancelled {q:' || cancelled || '} + pending {q:' || pending || '}' AS detail
            FROM chain WHERE placed + changed + excess <> received + cancelled + pending",
    },
    Check {
        invariant: 3,
        title: "an order has at most one back order",
        sql: "
            SELECT 'the order ' || parent_id || ' has ' || count(*) || ' back orders, ' || min(number) || ' to '
                || max(number) AS detail
            FROM purchase_order WHERE store_id = {store} AND parent_id IS NOT NULL AND NOT folded_back
            GROUP BY parent_id HAVING count(*) > 1",
    },
    Check {
        invariant: 3,
        title: "an order's back order names it as the order that it follows",
        sql: "
            SELECT o.number || ' names ' || COALESCE(c.number, o.child_id) || ' as its back order, which '
                || CASE WHEN c.number IS NULL THEN 'does not exist' WHEN c.folded_back THEN 'was folded back'
                    ELSE 'does not follow it' END AS detail
            FROM purchase_order o LEFT JOIN purchase_order c ON c.store_id = o.store_id AND c.po_id = o.child_id
            WHERE o.store_id = {store} AND o.child_id IS NOT NULL
              AND (c.parent_id IS DISTINCT FROM o.po_id OR c.folded_back)",
    },
    Check {
        invariant: 3,
        title: "the order that a back order follows names it as its back order",
        sql: "
            SELECT o.number || ' follows ' || COALESCE(p.number, o.parent_id) || ', which '
                || CASE WHEN p.number IS NULL THEN 'does not exist' ELSE 'does not name it as its back order' END
                AS detail
            FROM purchase_order o LEFT JOIN purchase_order p ON p.store_id = o.store_id AND p.po_id = o.parent_id
            WHERE o.store_id = {store} AND o.parent_id IS NOT NULL
              AND (p.number IS NULL OR (NOT o.folded_back AND p.child_id IS DISTINCT FROM o.po_id))",
    },
    Check {
        invariant: 3,
        // A position is one more than the one before, so no chain can come back to itself.
        title: "a chain counts up from its original",
        sql: "
            SELECT o.number || ' is at position ' || o.chain_position || ' of the chain of ' || o.root_id
                || CASE WHEN o.parent_id IS NULL THEN ', but follows no order'
                    ELSE ', but follows position ' || p.chain_position || ' of the chain of ' || p.root_id END AS detail
            FROM purchase_order o LEFT JOIN purchase_order p ON p.store_id = o.store_id AND p.po_id = o.parent_id
            WHERE o.store_id = {store} AND (
                (o.parent_id IS NULL AND (o.chain_position <> 0 OR o.root_id <> o.po_id))
                OR o.chain_position <> p.chain_position + 1 OR o.root_id <> p.root_id)",
    },
    Check {
        invariant: 3,
        title: "a back order's number is its original's with the next number of its chain",
        // `numbered`: each order with the n of its PO-000001-Bn, 0 for an original; NULL if its number is not of that
        // form. At most nine digits are cast, so the cast cannot fail. Back orders that were folded back have used
        // numbers, so n is at least the position, and more than that of the order before.
        sql: "
            WITH numbered AS (
                SELECT o.po_id, o.number, o.parent_id, o.chain_position, o.last_back_order,
                    COALESCE(r.number, o.root_id) AS original, CASE WHEN o.parent_id IS NULL THEN 0
                    WHEN substr(o.number, 1, length(r.number) + 2) = r.number || '-B'
                        AND length(o.number) - length(r.number) BETWEEN 3 AND 11
                        AND ltrim(substr(o.number, length(r.number) + 3), '0123456789') = ''
                        AND substr(o.number, length(r.number) + 3, 1) <> '0'
                        THEN CAST(substr(o.number, length(r.number) + 3) AS BIGINT) END AS n
                FROM purchase_order o LEFT JOIN purchase_order r ON r.store_id = o.store_id AND r.po_id = o.root_id
                WHERE o.store_id = {store})
            SELECT d.number || ' is at position ' || d.chain_position || ' of the chain of ' || d.original
                || ', which had given out ' || d.last_back_order || ' numbers, after '
                || COALESCE(p.number, 'no order') AS detail
            FROM numbered d LEFT JOIN numbered p ON p.po_id = d.parent_id
            WHERE d.parent_id IS NOT NULL
              AND (d.n IS NULL OR d.n < d.chain_position OR d.n > d.last_back_order OR d.n <= p.n)",
    },
    Check {
        invariant: 3,
        title: "an original's number is one that the store has given out",
        // `original`: each original with the n of its PO-n, NULL if the number is not of that form. At most 18 digits
        // are cast, so the cast to BIGINT cannot fail. Numbers are padded with zeros to six digits, so a longer one
        // must not begin with 0.
        sql: "
            WITH original AS (
                SELECT number, CASE WHEN substr(number, 1, 3) = 'PO-' AND length(number) BETWEEN 9 AND 21
                    AND ltrim(substr(number, 4), '0123456789') = '' THEN CAST(substr(number, 4) AS BIGINT) END AS n
                FROM purchase_order WHERE store_id = {store} AND parent_id IS NULL)
            SELECT o.number || ' is not one of the ' || s.last_order_number || ' numbers given out' AS detail
            FROM store s CROSS JOIN original o
            WHERE s.store_id = {store} AND (o.n IS NULL OR o.n NOT BETWEEN 1 AND s.last_order_number
                OR (length(o.number) > 9 AND substr(o.number, 4, 1) = '0'))",
    },
    Check {
        invariant: 3,
        title: "no two orders have the same number",
        sql: "
            SELECT count(*) || ' orders have the number ' || number AS detail
            FROM purchase_order WHERE store_id = {store} GROUP BY number HAVING count(*) > 1",
    },
    Check {
        invariant: 3,
        title: "a back order has the supplier and currency of the order before, and the store's currency",
        sql: "
            SELECT o.number || ' is for ' || o.supplier_id || ' in ' || o.currency || ', but '
                || COALESCE(p.number || ', which it follows, for ' || p.supplier_id || ' in ' || p.currency || ', and ', '')
                || 'the store buys in ' || s.currency AS detail
            FROM purchase_order o JOIN store s ON s.store_id = o.store_id
            LEFT JOIN purchase_order p ON p.store_id = o.store_id AND p.po_id = o.parent_id
            WHERE o.store_id = {store} AND (o.currency <> s.currency OR o.supplier_id <> p.supplier_id
                OR o.currency <> p.currency)",
    },
    Check {
        invariant: 3,
        title: "a carried-over line keeps its parent line's product, unit, texts and first promise, and begins with its cost",
        // The cost may be amended afterwards. Events before the first that is kept prove nothing.
        sql: "
            WITH retained AS (SELECT min(event_number) AS first FROM event WHERE store_id = {store})
            SELECT 'line ' || l.line_number || ' of ' || o.number || ' is ' || l.product_id || ' (' || l.description
                || ', ' || COALESCE(l.gtin, 'no gtin') || ') in ' || l.unit || ' at {c:' || l.unit_cost
                || '} promised for ' || COALESCE(l.first_expected_date, 'no date') || ', but before it was '
                || p.product_id || ' (' || p.description || ', ' || COALESCE(p.gtin, 'no gtin') || ') in ' || p.unit
                || ' at {c:' || p.unit_cost || '} promised for ' || COALESCE(p.first_expected_date, 'no date') AS detail
            FROM purchase_order o JOIN purchase_order_line l USING (store_id, po_id) CROSS JOIN retained k
            JOIN purchase_order_line p ON p.store_id = o.store_id AND p.po_id = o.parent_id
                AND p.line_number = l.line_number
            WHERE o.store_id = {store} AND NOT o.folded_back AND (l.product_id <> p.product_id OR l.unit <> p.unit
                OR l.pack_size IS DISTINCT FROM p.pack_size
                OR (l.unit_cost <> p.unit_cost AND o.create_event >= k.first AND NOT EXISTS (
                    SELECT 1 FROM event e WHERE e.store_id = {store} AND e.po_id = o.po_id
                        AND e.event_type = 'ORDER_AMENDED'))
                OR l.description <> p.description OR l.gtin IS DISTINCT FROM p.gtin
                OR (p.first_expected_date IS NOT NULL
                    AND l.first_expected_date IS DISTINCT FROM p.first_expected_date))",
    },
];
