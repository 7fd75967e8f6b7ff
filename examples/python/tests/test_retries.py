"""A call that breaks at the worst moment has one effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from purchasing.v1.purchase_order_pb2 import PurchaseOrder
from purchasing.v1.purchase_order_service_pb2 import (
    CreatePurchaseOrderRequest,
    CreatePurchaseOrderResponse,
    GetPurchaseOrderRequest,
)
from purchasing.v1.store_service_pb2 import GetStoreRequest

from purchase_orders.connection import Connection
from purchase_orders.errors import ServiceError
from tests.conftest import Shop
from tests.server import Proxy, wait_until
from tests.standin import abort, serve


def create_without_answer(
    shop: Shop, proxy: Proxy, seconds: float, once_done: Callable[[], None]
) -> CreatePurchaseOrderResponse:
    """Creates an order through the proxy, whose answer is held back until `once_done` has been called."""
    with Connection.development(proxy.address, "alice") as client, ThreadPoolExecutor() as pool:
        # The connection is there before answers are held back: its handshake needs some.
        client.call(client.stores.GetStore, GetStoreRequest(store_id=shop.store_id))
        request = shop.new_order()
        proxy.hold()
        future: Future[CreatePurchaseOrderResponse] = pool.submit(
            client.call, client.orders.CreatePurchaseOrder, request, seconds
        )
        # By a connection of its own: the order exists before the first attempt fails.
        wait_until(lambda: shop.order_count() == 1, "the order is created")
        once_done()
        return future.result(60)


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_breaks_before_the_answer(shop: Shop, proxy: Proxy, reset: bool) -> None:
    answered = create_without_answer(shop, proxy, 10, lambda: proxy.cut(reset))
    assert shop.order_count() == 1
    request = GetPurchaseOrderRequest(
        store_id=shop.store_id, purchase_order_id=answered.purchase_order.purchase_order_id
    )
    order = shop.alice.call(shop.alice.orders.GetPurchaseOrder, request).purchase_order
    assert order.number == answered.purchase_order.number == "PO-000001"


def test_a_deadline_that_passes_before_the_answer(shop: Shop, proxy: Proxy) -> None:
    # The answers flow again when the first attempt has been given up.
    given_up = threading.Timer(1.5, proxy.release)
    answered = create_without_answer(shop, proxy, 1, given_up.start)
    assert shop.order_count() == 1
    assert answered.purchase_order.number == "PO-000001"


def test_a_call_without_an_answer_ends_by_its_deadline_and_may_be_made_again(
    shop: Shop, proxy: Proxy
) -> None:
    with Connection.development(proxy.address, "alice") as client:
        client.call(client.stores.GetStore, GetStoreRequest(store_id=shop.store_id))
        request = shop.new_order()
        proxy.hold()
        with pytest.raises(ServiceError) as failed:
            client.call(client.orders.CreatePurchaseOrder, request, 0.3)
        assert failed.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
        proxy.release()
        answered = client.call(client.orders.CreatePurchaseOrder, request)
    assert answered.purchase_order.number == "PO-000001"
    assert shop.order_count() == 1


class Scripted:
    """A stand-in for the service, for errors that it cannot be brought to make in a test.

    It answers with the given errors, one after another, and then with success.
    """

    def __init__(self, *errors: tuple[grpc.StatusCode, str]) -> None:
        self._errors = list(errors)
        self.requests: list[CreatePurchaseOrderRequest] = []

    def create(
        self, request: CreatePurchaseOrderRequest, context: grpc.ServicerContext
    ) -> CreatePurchaseOrderResponse:
        self.requests.append(request)
        if self._errors:
            abort(context, *self._errors.pop(0))
        return CreatePurchaseOrderResponse(purchase_order=PurchaseOrder(number="PO-000001"))

    @contextmanager
    def serve(self) -> Iterator[Connection]:
        create = grpc.unary_unary_rpc_method_handler(
            self.create,
            request_deserializer=CreatePurchaseOrderRequest.FromString,
            response_serializer=CreatePurchaseOrderResponse.SerializeToString,
        )
        with (
            serve("purchasing.v1.PurchaseOrderService", {"CreatePurchaseOrder": create}) as address,
            Connection.development(address, "alice") as client,
        ):
            yield client


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
        (grpc.StatusCode.UNKNOWN, "OUTCOME_UNKNOWN"),
        (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
    ],
)
def test_what_passes_is_retried_with_the_same_request_id(
    shop: Shop, code: grpc.StatusCode, reason: str
) -> None:
    scripted = Scripted((code, reason), (code, reason))
    request = shop.new_order()
    with scripted.serve() as client:
        client.call(client.orders.CreatePurchaseOrder, request)
    assert scripted.requests == [request] * 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"),
        (grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
        (grpc.StatusCode.INTERNAL, "INTERNAL"),
    ],
)
def test_what_does_not_pass_is_not_retried(shop: Shop, code: grpc.StatusCode, reason: str) -> None:
    scripted = Scripted((code, reason))
    with scripted.serve() as client, pytest.raises(ServiceError) as refused:
        client.call(client.orders.CreatePurchaseOrder, shop.new_order())
    assert refused.value.reason == reason
    assert len(scripted.requests) == 1
