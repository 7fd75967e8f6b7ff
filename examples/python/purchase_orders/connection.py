"""A connection to the service: who calls, a deadline for every call, and which calls are sent again."""

from __future__ import annotations

import copy
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import grpc
from purchasing.v1.event_service_pb2_grpc import EventServiceStub
from purchasing.v1.inventory_service_pb2_grpc import InventoryServiceStub
from purchasing.v1.purchase_order_service_pb2_grpc import PurchaseOrderServiceStub
from purchasing.v1.report_service_pb2_grpc import ReportServiceStub
from purchasing.v1.store_service_pb2_grpc import StoreServiceStub

from purchase_orders.errors import ServiceError

# How the channel retries. It sees only the code of an error, and UNAVAILABLE alone may always be sent again:
# nothing was done, or the connection broke and the request id makes the retry safe. The first delay is the
# one that the service asks for in RetryInfo. What depends on the reason is retried by Connection.call.
SERVICE_CONFIG: dict[str, Any] = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "1s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # A watch is opened again at another position, which the Follower knows and the channel does not.
        {"name": [{"service": "purchasing.v1.EventService", "method": "WatchEvents"}]},
    ]
}

CHANNEL_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # A connection that silently broke is found within 40 s while a call waits. The service sends a PING of
    # its own after 20 s of silence, so this one is rare.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A watch sends nothing after its request: without this the pings would stop after two.
    ("grpc.http2.max_pings_without_data", 0),
]

# How long one attempt may take, with the channel's retries. The service allows 30 s at most.
CALL_SECONDS = 10.0
ATTEMPTS = 3
RETRIED_REASONS = frozenset({"QUEUE_FULL", "OUTCOME_UNKNOWN", "DEADLINE_EXCEEDED"})

Request = TypeVar("Request")
Response = TypeVar("Response")
Received = TypeVar("Received", covariant=True)


class Stream(Protocol[Received]):
    """A stream of answers, which can be cancelled from any thread."""

    def __iter__(self) -> Iterator[Received]: ...
    def cancel(self) -> bool: ...


class PageRequest(Protocol):
    """The request of a list."""

    page_token: str


class Page(Protocol):
    """The answer to it."""

    next_page_token: str


ListRequest = TypeVar("ListRequest", bound=PageRequest)
ListResponse = TypeVar("ListResponse", bound=Page)


class BearerToken(grpc.AuthMetadataPlugin):
    """Sends `authorization: Bearer …`. The token is read for each call: it may be renewed."""

    def __init__(self, read_token: Callable[[], str]) -> None:
        self._read_token = read_token

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        try:
            callback((("authorization", f"Bearer {self._read_token()}"),), None)
        except OSError as error:
            callback((), error)


class Connection:
    """A channel to the service and the stubs of its services."""

    def __init__(self, channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self._channel = channel
        self._metadata = metadata
        self.orders = PurchaseOrderServiceStub(channel)
        self.inventory = InventoryServiceStub(channel)
        self.reports = ReportServiceStub(channel)
        self.stores = StoreServiceStub(channel)
        self.events = EventServiceStub(channel)

    @classmethod
    def development(cls, address: str, principal: str) -> Self:
        """To a server in development mode, which believes who the caller says that it is."""
        return cls(grpc.insecure_channel(address, CHANNEL_OPTIONS), (("x-principal", principal),))

    @classmethod
    def production(
        cls, address: str, read_token: Callable[[], str], root_certificates: bytes | None = None
    ) -> Self:
        """By TLS and with a token, which gRPC never sends over a connection that is not encrypted.

        `root_certificates` are PEM; without them those that gRPC brings along count.
        """
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(root_certificates),
            grpc.metadata_call_credentials(BearerToken(read_token)),
        )
        return cls(grpc.secure_channel(address, credentials, CHANNEL_OPTIONS))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the channel, and with it the calls that still run."""
        self._channel.close()

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        seconds: float = CALL_SECONDS,
    ) -> Response:
        """Calls with a deadline, and sends the same request again where its reason allows that.

        A change must have a `request_id`: without one a retry might do it twice.
        """
        if getattr(request, "request_id", None) == "":
            raise ValueError(f"{type(request).__name__} needs a request_id, made once per intended change")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return method(request, timeout=seconds, metadata=self._metadata)
            except grpc.RpcError as failed:
                error = ServiceError.from_rpc_error(failed)
                if attempt == ATTEMPTS or not is_retried(error):
                    raise error from failed
                time.sleep(error.retry_after_seconds or random.uniform(0.5, 1) * 0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def pages(
        self, method: grpc.UnaryUnaryMultiCallable[ListRequest, ListResponse], request: ListRequest
    ) -> Iterator[ListResponse]:
        """All pages of a list. A page may be empty and not be the last: its token decides."""
        request = copy.deepcopy(request)
        while True:
            page = self.call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        seconds: float,
    ) -> Stream[Response]:
        """Opens a stream, which ends after `seconds` at the latest. It is not retried."""
        return method(request, timeout=seconds, metadata=self._metadata)


def is_retried(error: ServiceError) -> bool:
    """Whether a call may be sent again as it is, with its request id.

    UNAVAILABLE is not among them: the channel has retried it already.
    """
    return error.reason in RETRIED_REASONS or error.code is grpc.StatusCode.DEADLINE_EXCEEDED


def new_request_id() -> str:
    """Make one for each intended change, and keep it with the request until there is an answer."""
    return str(uuid.uuid4())
