"""A stand-in for the service, for errors that the real one cannot be brought to make in a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any as Anything
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

NONE: Mapping[str, str] = {}


def abort(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    reason: str,
    metadata: Mapping[str, str] = NONE,
) -> NoReturn:
    """Ends a call as the service does: with the reason, and a delay before a retry."""
    info, retry = Any(), Any()
    info.Pack(ErrorInfo(reason=reason, domain="purchasing.v1", metadata=metadata))
    retry.Pack(RetryInfo(retry_delay=Duration(nanos=1_000_000)))
    status = Status(code=code.value[0], message=reason, details=[info, retry])
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status raises")


@contextmanager
def serve(service: str, methods: dict[str, grpc.RpcMethodHandler[Anything, Anything]]) -> Iterator[str]:
    """Serves the methods of one service. Yields the address."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
