//! The tables for Diesel, as the migrations of both databases create them; the migrations explain the columns.
//!
//! The order of the columns is that of [`super::rows`], which read them by position. Queries select columns by name, so it
//! need not be that of the database.

diesel::table! {
    store (store_id) {
        store_id -> Text,
        display_name -> Text,
        currency -> Text,
        time_zone -> Text,
        create_time -> BigInt,
        back_orders_enabled -> Bool,
        over_receipt_tolerance -> BigInt,
        allow_negative_stock -> Bool,
        allow_unlisted_items -> Bool,
        open_orders -> BigInt,
        last_order_number -> BigInt,
        last_event -> BigInt,
        last_event_time -> BigInt,
        first_event -> BigInt,
    }
}

diesel::table! {
    role_permission (store_id, role_id, permission, from_event) {
        store_id -> Text,
        role_id -> Text,
        permission -> Text,
        from_event -> BigInt,
        to_event -> Nullable<BigInt>,
    }
}

diesel::table! {
    role_grant (store_id, principal, role_id, from_event) {
        store_id -> Text,
        principal -> Text,
        role_id -> Text,
        from_event -> BigInt,
        to_event -> Nullable<BigInt>,
    }
}

diesel::table! {
    purchase_order (store_id, po_id) {
        store_id -> Text,
        po_id -> Text,
        number -> Text,
        parent_id -> Nullable<Text>,
        root_id -> Text,
        chain_position -> Integer,
        supplier_id -> Text,
        supplier_reference -> Nullable<Text>,
        note -> Nullable<Text>,
        external_id -> Nullable<Text>,
        charges -> Text,
        currency -> Text,
        expected_date -> Nullable<Text>,
        create_time -> BigInt,
        created_by -> Text,
        create_event -> BigInt,
        state -> Text,
        revision -> BigInt,
        order_time -> Nullable<BigInt>,
        place_time -> Nullable<BigInt>,
        placed_by -> Nullable<Text>,
        original_order_time -> Nullable<BigInt>,
        close_time -> Nullable<BigInt>,
        closed_by -> Nullable<Text>,
        cancel_reason -> Nullable<Text>,
        cancel_reason_code -> Nullable<Text>,
        child_id -> Nullable<Text>,
        last_back_order -> Integer,
        folded_back -> Bool,
        terms_changed -> Bool,
        line_count -> Integer,
        last_line -> Integer,
        pending_lines -> Integer,
        active_receipts -> Integer,
        last_receipt -> Integer,
        receipt_items -> Integer,
        ordered -> BigInt,
        received -> BigInt,
        rejected -> BigInt,
        back_ordered -> BigInt,
        cancelled -> BigInt,
        pending -> BigInt,
        excess -> BigInt,
        ordered_cost -> BigInt,
        pending_cost -> BigInt,
        received_cost -> BigInt,
    }
}

diesel::table! {
    purchase_order_line (store_id, po_id, line_number) {
        store_id -> Text,
        po_id -> Text,
        line_number -> Integer,
        product_id -> Text,
        description -> Text,
        gtin -> Nullable<Text>,
        supplier_product_id -> Nullable<Text>,
        note -> Nullable<Text>,
        unit -> Text,
        pack_size -> Nullable<BigInt>,
        unit_cost -> BigInt,
        pack_cost -> Nullable<BigInt>,
        tolerance -> Nullable<BigInt>,
        lot_required -> Bool,
        carried_over -> Bool,
        first_expected_date -> Nullable<Text>,
        first_ordered -> BigInt,
        confirmed -> Nullable<BigInt>,
        expected_date -> Nullable<Text>,
        ordered -> BigInt,
        received -> BigInt,
        rejected -> BigInt,
        back_ordered -> BigInt,
        cancelled -> BigInt,
        pending -> BigInt,
        excess -> BigInt,
        returned -> BigInt,
        first_receive_time -> Nullable<BigInt>,
        last_receive_time -> Nullable<BigInt>,
        back_order_time -> Nullable<BigInt>,
        due_date -> Nullable<Text>,
    }
}

diesel::table! {
    line_cancellation (store_id, po_id, line_number, event_number) {
        store_id -> Text,
        po_id -> Text,
        line_number -> Integer,
        event_number -> BigInt,
        quantity -> BigInt,
        reason -> Nullable<Text>,
        reason_code -> Nullable<Text>,
    }
}

diesel::table! {
    receipt (store_id, po_id, receipt_number) {
        store_id -> Text,
        po_id -> Text,
        receipt_number -> Integer,
        receive_time -> BigInt,
        book_time -> BigInt,
        booked_by -> Text,
        supplier_id -> Text,
        delivery_note -> Nullable<Text>,
        delivery_id -> Nullable<Text>,
        note -> Nullable<Text>,
        corrects -> Nullable<Integer>,
        void_time -> Nullable<BigInt>,
        voided_by -> Nullable<Text>,
        void_reason -> Nullable<Text>,
    }
}

diesel::table! {
    receipt_item (store_id, po_id, receipt_number, line_number) {
        store_id -> Text,
        po_id -> Text,
        receipt_number -> Integer,
        line_number -> Integer,
        accepted -> BigInt,
        excess -> BigInt,
        rejected -> BigInt,
        reject_reason -> Nullable<Text>,
        reject_note -> Nullable<Text>,
        unit_cost -> Nullable<BigInt>,
        excess_unit_cost -> Nullable<BigInt>,
        value -> BigInt,
    }
}

diesel::table! {
    receipt_lot (store_id, po_id, receipt_number, line_number, lot_number) {
        store_id -> Text,
        po_id -> Text,
        receipt_number -> Integer,
        line_number -> Integer,
        lot_number -> Integer,
        lot_code -> Text,
        expiry_date -> Nullable<Text>,
        quantity -> BigInt,
    }
}

diesel::table! {
    inventory_level (store_id, product_id) {
        store_id -> Text,
        product_id -> Text,
        unit -> Text,
        on_hand -> BigInt,
        staged -> BigInt,
        on_order -> BigInt,
        back_ordered -> BigInt,
        average_cost -> BigInt,
        last_movement -> BigInt,
    }
}

diesel::table! {
    inventory_lot (store_id, product_id, lot_code, expiry_date) {
        store_id -> Text,
        product_id -> Text,
        lot_code -> Text,
        expiry_date -> Text,
        on_hand -> BigInt,
    }
}

diesel::table! {
    stock_movement (store_id, product_id, movement_number) {
        store_id -> Text,
        product_id -> Text,
        movement_number -> BigInt,
        kind -> Text,
        quantity -> BigInt,
        unit_cost -> BigInt,
        balance_after -> BigInt,
        average_after -> BigInt,
        create_time -> BigInt,
        event_number -> BigInt,
        po_id -> Nullable<Text>,
        line_number -> Nullable<Integer>,
        receipt_number -> Nullable<Integer>,
        receive_time -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        lot_code -> Nullable<Text>,
        expiry_date -> Nullable<Text>,
    }
}

diesel::table! {
    event (store_id, event_number) {
        store_id -> Text,
        event_number -> BigInt,
        event_time -> BigInt,
        actor -> Text,
        as_operator -> Bool,
        event_type -> Text,
        po_id -> Nullable<Text>,
        revision -> Nullable<BigInt>,
        state_after -> Nullable<Text>,
        order_after -> Nullable<Text>,
        detail -> Text,
    }
}

diesel::table! {
    clock_day (day) {
        day -> BigInt,
    }
}

diesel::table! {
    stored_response (store_id, principal, request_id) {
        store_id -> Text,
        principal -> Text,
        request_id -> Text,
        fingerprint -> Text,
        create_time -> BigInt,
        outcome -> Text,
    }
}

diesel::table! {
    page_token_key (id) {
        id -> Integer,
        secret -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(purchase_order, purchase_order_line);
diesel::allow_tables_to_appear_in_same_query!(store, role_grant);
diesel::allow_tables_to_appear_in_same_query!(store, event);
diesel::allow_tables_to_appear_in_same_query!(receipt, receipt_item);
diesel::allow_tables_to_appear_in_same_query!(receipt, purchase_order);
diesel::allow_tables_to_appear_in_same_query!(receipt_item, receipt_lot);
diesel::allow_tables_to_appear_in_same_query!(inventory_lot, inventory_level);
