"""Lists in pages."""

from purchasing.v1.purchase_order_service_pb2 import ListPurchaseOrdersRequest
from purchasing.v1.report_service_pb2 import ListOutstandingLinesRequest

from tests.conftest import Shop


def test_pages_hold_every_line_once(shop: Shop) -> None:
    order = shop.placed_order(lines=7)
    request = ListOutstandingLinesRequest(store_id=shop.store_id, page_size=3)
    pages = list(shop.alice.pages(shop.alice.reports.ListOutstandingLines, request))
    assert [len(page.lines) for page in pages] == [3, 3, 1]
    lines = [(line.purchase_order_id, line.line_number) for page in pages for line in page.lines]
    assert lines == [(order.purchase_order_id, number) for number in range(1, 8)]
    assert request.page_token == "", "the caller's request stays as it was"


def test_an_empty_list_is_one_empty_page(shop: Shop) -> None:
    request = ListPurchaseOrdersRequest(store_id=shop.store_id, page_size=2)
    pages = list(shop.alice.pages(shop.alice.orders.ListPurchaseOrders, request))
    assert [len(page.purchase_orders) for page in pages] == [0]
