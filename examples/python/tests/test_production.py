"""A server in production: TLS, and a token instead of a name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from purchasing.v1.store_service_pb2 import CreateStoreRequest, EnableBackOrdersRequest, GetStoreRequest

from purchase_orders.connection import Connection, new_request_id
from purchase_orders.errors import ServiceError
from tests.identity import Identity
from tests.server import Server
from tests.test_story import PROGRAM


@dataclass
class Production:
    """A server with the store north, of which alice is the owner."""

    server: Server
    identity: Identity

    def connect(self, token: str) -> Connection:
        return Connection.production(self.server.address, lambda: token, self.identity.authority.read_bytes())


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    folder = tmp_path_factory.mktemp("production")
    identity = Identity(folder)
    with Server(folder, identity.server_arguments()) as server:
        production = Production(server, identity)
        with production.connect(identity.token("olga", "platform-operator")) as operator:
            create = CreateStoreRequest(
                store_id="north",
                request_id=new_request_id(),
                currency="EUR",
                time_zone="Europe/Amsterdam",
                owner_principal="alice",
            )
            operator.call(operator.stores.CreateStore, create)
            enable = EnableBackOrdersRequest(store_id="north", request_id=new_request_id())
            operator.call(operator.stores.EnableBackOrders, enable)
        yield production


def test_the_story_runs_with_a_token(production: Production, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(production.identity.token("alice") + "\n")
    options = [
        "--token-file",
        str(token_file),
        "--ca",
        str(production.identity.authority),
        "--store",
        "north",
    ]
    positions = ["--positions", str(tmp_path / "positions.json")]
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), "--address", production.server.address, *options, *positions],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "each came once" in ended.stdout


def test_a_bad_token_is_refused_with_its_reason(production: Production) -> None:
    token = production.identity.token("alice")
    with production.connect(token[:-8] + "AAAAAAAA") as client, pytest.raises(ServiceError) as refused:
        client.call(client.stores.GetStore, GetStoreRequest(store_id="north"))
    assert refused.value.code is grpc.StatusCode.UNAUTHENTICATED
    assert refused.value.reason == "INVALID_CREDENTIALS"


def test_a_server_of_another_authority_is_not_trusted(production: Production, tmp_path: Path) -> None:
    stranger = Identity(tmp_path).authority.read_bytes()
    token = production.identity.token("alice")
    with Connection.production(production.server.address, lambda: token, stranger) as client:
        with pytest.raises(ServiceError) as failed:
            client.call(client.stores.GetStore, GetStoreRequest(store_id="north"), seconds=1)
        assert failed.value.reason == "", "the service has not been asked"
        assert failed.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
