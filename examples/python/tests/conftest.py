"""What the tests share: one server, and a store of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from purchasing.v1.purchase_order_pb2 import UNIT_EACH, PurchaseOrder
from purchasing.v1.purchase_order_service_pb2 import (
    CreatePurchaseOrderRequest,
    ListPurchaseOrdersRequest,
    NewLine,
    NewReceiptItem,
    PlacePurchaseOrderRequest,
    ReceivePurchaseOrderRequest,
)
from purchasing.v1.store_service_pb2 import CreateStoreRequest, EnableBackOrdersRequest

from purchase_orders.connection import Connection, new_request_id
from tests.server import Proxy, Server

STORES = itertools.count(1)


@dataclass
class Shop:
    """A store of which alice is the owner."""

    server: Server
    alice: Connection
    store_id: str

    def new_order(self, lines: int = 1) -> CreatePurchaseOrderRequest:
        return CreatePurchaseOrderRequest(
            store_id=self.store_id,
            request_id=new_request_id(),
            supplier_id="baker-foods",
            lines=[
                NewLine(product_id=f"product-{number}", unit=UNIT_EACH, quantity="10", unit_cost="1.25")
                for number in range(1, lines + 1)
            ],
        )

    def placed_order(self, lines: int = 1) -> PurchaseOrder:
        created = self.alice.call(self.alice.orders.CreatePurchaseOrder, self.new_order(lines))
        request = PlacePurchaseOrderRequest(
            store_id=self.store_id,
            purchase_order_id=created.purchase_order.purchase_order_id,
            request_id=new_request_id(),
        )
        return self.alice.call(self.alice.orders.PlacePurchaseOrder, request).purchase_order

    def received_order(self, lines: int = 1) -> PurchaseOrder:
        request = ReceivePurchaseOrderRequest(
            store_id=self.store_id,
            purchase_order_id=self.placed_order(lines).purchase_order_id,
            request_id=new_request_id(),
            items=[NewReceiptItem(line_number=1, accepted="4")],
        )
        return self.alice.call(self.alice.orders.ReceivePurchaseOrder, request).purchase_order

    def order_count(self) -> int:
        request = ListPurchaseOrdersRequest(store_id=self.store_id, page_size=1000)
        return len(self.alice.call(self.alice.orders.ListPurchaseOrders, request).purchase_orders)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


def open_shop(server: Server, alice: Connection) -> Shop:
    store_id = f"store-{next(STORES)}"
    with server.connect("operator") as operator:
        operator.call(
            operator.stores.CreateStore,
            CreateStoreRequest(
                store_id=store_id,
                request_id=new_request_id(),
                currency="EUR",
                time_zone="Europe/Amsterdam",
                owner_principal="alice",
            ),
        )
        operator.call(
            operator.stores.EnableBackOrders,
            EnableBackOrdersRequest(store_id=store_id, request_id=new_request_id()),
        )
    return Shop(server, alice, store_id)


@pytest.fixture
def shop(server: Server) -> Iterator[Shop]:
    with server.connect("alice") as alice:
        yield open_shop(server, alice)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """For tests that stop it, or that need an empty database."""
    with Server(tmp_path) as server:
        yield server


@pytest.fixture
def proxy(shop: Shop) -> Iterator[Proxy]:
    proxy = Proxy(shop.server.address)
    yield proxy
    proxy.close()
