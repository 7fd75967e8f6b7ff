"""What a refused or failed call says: its reason, and never its message, is what a program decides by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request that breaks a rule, by its path, such as `lines[0].quantity`."""

    field: str
    description: str


@dataclass
class ServiceError(Exception):
    """A call that did not succeed.

    `reason` is stable and listed in the .proto files. It is empty if the call never came to an answer of
    the service: the connection broke, or the deadline passed at the client.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[FieldViolation, ...] = ()
    retry_after_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.code.name} {self.reason}: {self.message}"

    @classmethod
    def from_rpc_error(cls, error: grpc.RpcError) -> ServiceError:
        """Decodes the google.rpc.Status that the service sends with an error."""
        # Each error of a call is a grpc.Call too, which grpcio does not say by a type.
        call = cast(grpc.Call, error)
        decoded = cls(call.code(), call.details() or "")
        status = rpc_status.from_call(call)
        for detail in status.details if status else ():
            info = error_details_pb2.ErrorInfo()
            bad_request = error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                decoded.reason, decoded.metadata = info.reason, dict(info.metadata)
            elif detail.Unpack(bad_request):
                decoded.violations = tuple(
                    FieldViolation(violation.field, violation.description)
                    for violation in bad_request.field_violations
                )
            elif detail.Unpack(retry):
                decoded.retry_after_seconds = retry.retry_delay.ToTimedelta().total_seconds()
        return decoded
