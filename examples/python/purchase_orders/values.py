"""Quantities, money and times: exact decimals and times with a time zone, never floats."""

from datetime import UTC, datetime
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp


def to_text(value: Decimal) -> str:
    """A decimal as the service reads it: `1E+2` and `2.50` are written `100` and `2.50`."""
    return format(value, "f")


def to_datetime(timestamp: Timestamp) -> datetime:
    """In UTC, with its time zone."""
    return timestamp.ToDatetime(tzinfo=UTC)
