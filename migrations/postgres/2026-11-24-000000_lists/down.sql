DROP TABLE page_token_key;
DROP INDEX purchase_order_back_orders;
DROP INDEX purchase_order_by_reference;
