"""What a refusal says, decoded."""

import grpc
import pytest
from purchasing.v1.purchase_order_pb2 import PENDING_DISPOSITION_BACK_ORDER
from purchasing.v1.purchase_order_service_pb2 import CompletePurchaseOrderRequest, PlacePurchaseOrderRequest

from purchase_orders.connection import new_request_id
from purchase_orders.errors import ServiceError
from tests.conftest import Shop
from tests.server import Server


def test_completing_is_refused_to_who_lacks_the_permission(own_server: Server) -> None:
    with own_server.connect("bob") as bob, pytest.raises(ServiceError) as refused:
        request = CompletePurchaseOrderRequest(
            store_id="demo",
            purchase_order_id=new_request_id(),
            request_id=new_request_id(),
            rest=PENDING_DISPOSITION_BACK_ORDER,
        )
        bob.call(bob.orders.CompletePurchaseOrder, request)
    assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.reason == "PERMISSION_MISSING"
    assert refused.value.metadata == {"permission": "COMPLETE_PURCHASE_ORDERS"}


def test_violations_name_their_fields(shop: Shop) -> None:
    request = shop.new_order(lines=2)
    request.lines[0].quantity = "1.23456"
    request.lines[1].unit_cost = "-1"
    with pytest.raises(ServiceError) as refused:
        shop.alice.call(shop.alice.orders.CreatePurchaseOrder, request)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.reason == "INVALID_REQUEST"
    assert refused.value.metadata["violations_total"] == "2"
    assert [violation.field for violation in refused.value.violations] == [
        "lines[0].quantity",
        "lines[1].unit_cost",
    ]


def test_an_old_etag_is_aborted(shop: Shop) -> None:
    created = shop.alice.call(shop.alice.orders.CreatePurchaseOrder, shop.new_order()).purchase_order
    request = PlacePurchaseOrderRequest(
        store_id=shop.store_id,
        purchase_order_id=created.purchase_order_id,
        request_id=new_request_id(),
        etag="99",
    )
    with pytest.raises(ServiceError) as refused:
        shop.alice.call(shop.alice.orders.PlacePurchaseOrder, request)
    assert refused.value.code is grpc.StatusCode.ABORTED
    assert refused.value.reason == "ETAG_MISMATCH"


def test_a_change_without_a_request_id_is_not_sent(shop: Shop) -> None:
    request = shop.new_order()
    request.request_id = ""
    with pytest.raises(ValueError, match="CreatePurchaseOrderRequest needs a request_id"):
        shop.alice.call(shop.alice.orders.CreatePurchaseOrder, request)
    assert shop.order_count() == 0
