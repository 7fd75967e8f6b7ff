"""A client of the purchase order service: connections, errors by reason, and following events."""
