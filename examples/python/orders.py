"""A store orders, receives in parts, completes with a back order, and follows what happens.

python orders.py --address 127.0.0.1:50051 --principal alice
python orders.py --address orders.example:443 --token-file token --store north
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from purchasing.v1.event_pb2 import Event, EventType
from purchasing.v1.purchase_order_pb2 import (
    CANCEL_REASON_DISCONTINUED,
    PENDING_DISPOSITION_BACK_ORDER,
    REJECT_REASON_DAMAGED,
    UNIT_BOTTLE,
    UNIT_EACH,
    UNIT_KILOGRAM,
    PurchaseOrder,
    PurchaseOrderState,
    Unit,
)
from purchasing.v1.purchase_order_service_pb2 import (
    CancelPurchaseOrderLinesRequest,
    CompletePurchaseOrderRequest,
    CompletePurchaseOrderResponse,
    ConfirmPurchaseOrderRequest,
    CreatePurchaseOrderRequest,
    CreatePurchaseOrderResponse,
    LineCancellation,
    NewLine,
    NewReceiptItem,
    PlacePurchaseOrderRequest,
    PreviewCompletionRequest,
    PreviewCompletionResponse,
    ReceivePurchaseOrderRequest,
    ReceivePurchaseOrderResponse,
)
from purchasing.v1.report_service_pb2 import ListOutstandingLinesRequest
from purchasing.v1.store_service_pb2 import EnableBackOrdersRequest, GetStoreRequest

from purchase_orders.connection import Connection, new_request_id
from purchase_orders.errors import ServiceError
from purchase_orders.events import Follower, PositionFile
from purchase_orders.values import to_datetime, to_text

# Product, text, unit, quantity, cost of a unit.
WANTED: list[tuple[str, str, Unit.ValueType, Decimal, Decimal]] = [
    ("rice", "Rice, 5 kg bag", UNIT_EACH, Decimal("40"), Decimal("6.20")),
    ("oil", "Olive oil, 1 l", UNIT_BOTTLE, Decimal("24"), Decimal("4.75")),
    ("parmesan", "Parmesan", UNIT_KILOGRAM, Decimal("12.5"), Decimal("11.90")),
    ("espresso", "Espresso beans", UNIT_KILOGRAM, Decimal("8"), Decimal("14.30")),
    ("pasta", "Pasta, 500 g", UNIT_EACH, Decimal("60"), Decimal("1.15")),
    ("tomatoes", "Tomatoes, tin", UNIT_EACH, Decimal("48"), Decimal("0.98")),
    ("vinegar", "Vinegar, 0.5 l", UNIT_BOTTLE, Decimal("18"), Decimal("3.40")),
    ("honey", "Honey, 250 g", UNIT_EACH, Decimal("12"), Decimal("5.60")),
]


class Story:
    """Each method is one step: a call or two, and what a program makes of the answers."""

    def __init__(self, connection: Connection, store_id: str, positions: Path) -> None:
        self.connection = connection
        self.store_id = store_id
        self.positions = positions

    def create(self) -> PurchaseOrder:
        """The request id is made with the request, so that each retry sends the same one."""
        request = CreatePurchaseOrderRequest(
            store_id=self.store_id,
            request_id=new_request_id(),
            supplier_id="baker-foods",
            lines=[
                NewLine(
                    product_id=product,
                    description=text,
                    unit=unit,
                    quantity=to_text(quantity),
                    unit_cost=to_text(cost),
                )
                for product, text, unit, quantity, cost in WANTED
            ],
        )
        created = self.connection.call(self.connection.orders.CreatePurchaseOrder, request)
        order = created.purchase_order
        # An amount is unset where the caller may not see it.
        cost = Decimal(order.ordered_cost) if order.HasField("ordered_cost") else None
        worth = f"worth {cost:.2f} {order.currency}" if cost is not None else "its cost is not shown"
        say("create", f"{order.number} with {order.line_count} lines, {worth}")
        self.send_again(request, created)
        return order

    def send_again(self, request: CreatePurchaseOrderRequest, first: CreatePurchaseOrderResponse) -> None:
        """What a client does that has not seen the answer. Nothing happens twice."""
        second = self.connection.call(self.connection.orders.CreatePurchaseOrder, request)
        assert second.purchase_order.purchase_order_id == first.purchase_order.purchase_order_id
        assert second.event_number == first.event_number
        say("again", f"the same request id gives the same answer: {second.purchase_order.number}")

    def refused(self) -> None:
        """A program shows the violations beside the fields of its form."""
        request = CreatePurchaseOrderRequest(
            store_id=self.store_id,
            request_id=new_request_id(),
            supplier_id="baker-foods",
            lines=[NewLine(product_id="rice", unit=UNIT_EACH, quantity="1.23456", unit_cost="-1")],
        )
        try:
            self.connection.call(self.connection.orders.CreatePurchaseOrder, request)
        except ServiceError as error:
            if error.reason != "INVALID_REQUEST":
                raise
            fields = ", ".join(violation.field for violation in error.violations)
            say("refused", f"{error.reason}: {fields}")

    def place(self, order: PurchaseOrder) -> None:
        request = PlacePurchaseOrderRequest(
            store_id=self.store_id,
            purchase_order_id=order.purchase_order_id,
            request_id=new_request_id(),
            etag=order.etag,
        )
        placed = self.connection.call(self.connection.orders.PlacePurchaseOrder, request).purchase_order
        since = to_datetime(placed.order_time).isoformat().replace("+00:00", "Z")
        say("place", f"{placed.number} is {PurchaseOrderState.Name(placed.state)} since {since}")

    def receive(
        self, order: PurchaseOrder, delivery_note: str, items: list[NewReceiptItem]
    ) -> ReceivePurchaseOrderResponse:
        request = ReceivePurchaseOrderRequest(
            store_id=self.store_id,
            purchase_order_id=order.purchase_order_id,
            request_id=new_request_id(),
            delivery_note=delivery_note,
            items=items,
        )
        received = self.connection.call(self.connection.orders.ReceivePurchaseOrder, request)
        pending = received.purchase_order.pending_line_count
        say("receive", f"{delivery_note} is booked; {pending} lines are still pending")
        return received

    def preview(self, order: PurchaseOrder) -> PreviewCompletionResponse:
        """What is pending, page by page, and the etag to complete with."""
        request = PreviewCompletionRequest(
            store_id=self.store_id,
            purchase_order_id=order.purchase_order_id,
            rest=PENDING_DISPOSITION_BACK_ORDER,
            page_size=3,
        )
        pages = list(self.connection.pages(self.connection.orders.PreviewCompletion, request))
        lines = [line for page in pages for line in page.pending_lines]
        worth = sum(
            (Decimal(line.pending_cost) for line in lines if line.HasField("pending_cost")), Decimal()
        )
        blockers = ", ".join(blocker.reason for blocker in pages[0].blockers) or "none"
        say("preview", f"{len(lines)} lines go to a back order, worth {worth:.2f}; blockers: {blockers}")
        return pages[-1]

    def complete(
        self, order: PurchaseOrder, decide: Callable[[PreviewCompletionResponse], None]
    ) -> CompletePurchaseOrderResponse:
        """Completes what somebody has looked at. If the order has changed meanwhile, they look again."""
        for _ in range(3):
            preview = self.preview(order)
            decide(preview)
            request = CompletePurchaseOrderRequest(
                store_id=self.store_id,
                purchase_order_id=order.purchase_order_id,
                request_id=new_request_id(),
                etag=preview.purchase_order.etag,
                rest=PENDING_DISPOSITION_BACK_ORDER,
            )
            try:
                completed = self.connection.call(self.connection.orders.CompletePurchaseOrder, request)
            except ServiceError as error:
                if error.reason != "ETAG_MISMATCH":
                    raise
                say("complete", f"{error.reason}: the order has changed since the preview")
            else:
                back_order = completed.back_order
                say("complete", f"{order.number}, with {back_order.number} for {back_order.line_count} lines")
                return completed
        raise RuntimeError("the order changes all the time")

    def outstanding(self) -> None:
        """All outstanding lines of the store, page by page."""
        request = ListOutstandingLinesRequest(store_id=self.store_id, page_size=3)
        pages = self.connection.pages(self.connection.reports.ListOutstandingLines, request)
        for number, page in enumerate(pages, start=1):
            lines = ", ".join(f"{line.number} {line.product_id} {line.pending}" for line in page.lines)
            say("list", f"page {number}: {lines}")

    def change_back_order(self, purchase_order_id: str) -> int:
        """Confirms the back order and cancels one line of it. Returns the number of the last event."""
        self.connection.call(
            self.connection.orders.ConfirmPurchaseOrder,
            ConfirmPurchaseOrderRequest(
                store_id=self.store_id,
                purchase_order_id=purchase_order_id,
                request_id=new_request_id(),
                confirm_rest=True,
            ),
        )
        cancelled = self.connection.call(
            self.connection.orders.CancelPurchaseOrderLines,
            CancelPurchaseOrderLinesRequest(
                store_id=self.store_id,
                purchase_order_id=purchase_order_id,
                request_id=new_request_id(),
                lines=[
                    LineCancellation(
                        line_number=8, reason="not made any more", reason_code=CANCEL_REASON_DISCONTINUED
                    )
                ],
            ),
        )
        return cancelled.event_number

    def follow(self, last: int) -> list[int]:
        """Follows the store from the kept position up to the event `last`. Returns the numbers seen."""
        seen: list[int] = []

        def handle(event: Event) -> None:
            seen.append(event.event_number)
            kind = EventType.Name(event.type).removeprefix("EVENT_TYPE_")
            about = event.purchase_order.number or event.store_id
            say("event", f"{event.event_number}: {kind} {about} by {event.actor}")
            if event.event_number == last:
                follower.stop()

        def take_over(store_id: str) -> None:
            say("follow", f"old events of {store_id} are deleted: read its present state by lists here")

        positions = PositionFile(self.positions)
        say("follow", f"from event {positions[self.store_id]}")
        follower = Follower(self.connection, positions, [self.store_id], handle, take_over)
        follower.run()
        return seen


def tell(connection: Connection, store_id: str, positions: Path) -> None:
    """The story from the first draft to the last event."""
    story = Story(connection, store_id, positions)
    begin = PositionFile(positions)[store_id]
    order = story.create()
    story.refused()
    story.place(order)
    story.receive(
        order,
        "BF-20817",
        [
            NewReceiptItem(line_number=1, accepted="40"),
            NewReceiptItem(line_number=2, accepted="18"),
            NewReceiptItem(line_number=3, accepted="10", rejected="2.5", reject_reason=REJECT_REASON_DAMAGED),
        ],
    )

    # While somebody looks at the first preview, a colleague books a second delivery.
    second_delivery = [NewReceiptItem(line_number=5, accepted="60")]

    def decide(preview: PreviewCompletionResponse) -> None:
        if second_delivery:
            story.receive(order, "BF-20823", [second_delivery.pop()])

    completed = story.complete(order, decide)
    story.outstanding()

    # The back order's own event follows that of the completion.
    seen = story.follow(completed.event_number + 1)
    last = story.change_back_order(completed.back_order.purchase_order_id)
    seen += story.follow(last)
    assert seen == list(range(begin + 1, last + 1)), "each event comes once, and none is left out"
    say("follow", f"events {begin + 1} to {last}: each came once")


def ensure_back_orders(connection: Connection, store_id: str, operator: Connection | None) -> None:
    """Back orders are turned on by a platform operator: in development anybody can call as one."""
    store = connection.call(connection.stores.GetStore, GetStoreRequest(store_id=store_id)).store
    if not store.back_orders_enabled:
        if operator is None:
            raise SystemExit(f"back orders are off in {store_id}: a platform operator can turn them on")
        request = EnableBackOrdersRequest(store_id=store_id, request_id=new_request_id())
        operator.call(operator.stores.EnableBackOrders, request)
    say("store", f"{store.store_id}: {store.display_name}, {store.currency}, back orders are on")


def say(what: str, text: str) -> None:
    print(f"{what:9}{text}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The story of one purchase order.")
    parser.add_argument("--address", default="127.0.0.1:50051", help="host:port [default: %(default)s]")
    caller = parser.add_mutually_exclusive_group(required=True)
    caller.add_argument("--principal", help="who calls, for a server in development mode")
    caller.add_argument("--token-file", type=Path, help="a file with a token; the connection uses TLS")
    parser.add_argument("--ca", type=Path, help="with --token-file: certificate authorities to trust, as PEM")
    parser.add_argument("--store", default="demo", help="the store [default: %(default)s]")
    parser.add_argument(
        "--positions",
        type=Path,
        default=Path("positions.json"),
        help="the followers' file [default: %(default)s]",
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.token_file:
        authorities = options.ca.read_bytes() if options.ca else None
        token_file: Path = options.token_file
        connection = Connection.production(
            options.address, lambda: token_file.read_text().strip(), authorities
        )
        operator = None
    else:
        connection = Connection.development(options.address, options.principal)
        operator = Connection.development(options.address, "operator")
    try:
        with connection:
            ensure_back_orders(connection, options.store, operator)
            tell(connection, options.store, options.positions)
    except ServiceError as error:
        print(error, file=sys.stderr)
        if error.reason == "POSITION_AHEAD":
            print(f"{options.positions} is of another database: delete it to begin anew", file=sys.stderr)
        return 1
    finally:
        if operator:
            operator.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
