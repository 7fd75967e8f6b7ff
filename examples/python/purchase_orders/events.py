"""Following the events of stores, from a position that outlives the program."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from purchasing.v1.event_pb2 import Event
from purchasing.v1.event_service_pb2 import EventPosition, WatchEventsRequest, WatchEventsResponse

from purchase_orders.connection import Connection, Stream
from purchase_orders.errors import ServiceError

# The service ends each watch after 5 minutes; the deadline is for the case that it does not.
WATCH_SECONDS = 330.0
# The service sends an empty message after 15 s without an event.
SILENCE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 30.0


class PositionFile:
    """The number of the last event that was processed, of each store, in a file.

    Where what you make of the events is in a database, keep the position there, in the same transaction:
    then no event is ever processed twice. With a file, the events of the last message come again if the
    program is killed between processing and saving.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        kept: dict[str, int | str] = json.loads(path.read_text()) if path.exists() else {}
        self._positions = {store_id: int(number) for store_id, number in kept.items()}

    def __getitem__(self, store_id: str) -> int:
        return self._positions.get(store_id, 0)

    def __setitem__(self, store_id: str, event_number: int) -> None:
        self._positions[store_id] = event_number

    def save(self) -> None:
        """Replaces the file in one step: after a crash it holds the old positions or the new ones."""
        unfinished = self._path.with_name(self._path.name + ".unfinished")
        with unfinished.open("w") as file:
            json.dump(self._positions, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)


class Follower:
    """Hands every event of some stores to `handle`, in the order of their numbers.

    `take_over` is called with a store's id if events that it needs were deleted (POSITION_PRUNED): read the
    store's present state by lists there.
    """

    def __init__(
        self,
        connection: Connection,
        positions: PositionFile,
        stores: Iterable[str],
        handle: Callable[[Event], None],
        take_over: Callable[[str], None],
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._connection = connection
        self._positions = positions
        self._stores = list(stores)
        self._handle = handle
        self._take_over = take_over
        self._silence_seconds = silence_seconds
        self._stopped = threading.Event()
        self._call: Stream[WatchEventsResponse] | None = None
        self._pauses = 0

    def stop(self) -> None:
        """Ends `run`, from another thread or from `handle`."""
        self._stopped.set()
        if self._call is not None:
            self._call.cancel()

    def run(self) -> None:
        """Watches, and watches again whenever the stream ends, until `stop` or a final error."""
        while not self._stopped.is_set():
            try:
                self._watch()
            except ServiceError as error:
                if not self._stopped.is_set():
                    self._recover(error)

    def _watch(self) -> None:
        positions = [EventPosition(store_id=store, after=self._positions[store]) for store in self._stores]
        request = WatchEventsRequest(positions=positions)
        self._call = self._connection.stream(self._connection.events.WatchEvents, request, WATCH_SECONDS)
        if self._stopped.is_set():
            self._call.cancel()
        try:
            with cancel_when_silent(self._call, self._silence_seconds) as heard:
                for message in self._call:
                    heard()
                    self._pauses = 0
                    self._process(message)
                    if self._stopped.is_set():
                        return
        except grpc.RpcError as failed:
            raise ServiceError.from_rpc_error(failed) from failed
        finally:
            self._call.cancel()

    def _process(self, message: WatchEventsResponse) -> None:
        """Handles the events of a message; the first message and the heartbeats have none."""
        for event in message.events:
            expected = self._positions[event.store_id] + 1
            if event.event_number != expected:
                raise RuntimeError(f"event {event.event_number} came where {expected} was to follow")
            self._handle(event)
            self._positions[event.store_id] = event.event_number
            self._positions.save()
            if self._stopped.is_set():
                return
        for store_id in message.ended_store_ids:
            self._stores.remove(store_id)

    def _recover(self, error: ServiceError) -> None:
        """Prepares the next watch, or raises what no further watch can help against."""
        if error.reason == "POSITION_PRUNED":
            store_id, last = error.metadata["store_id"], int(error.metadata["last_event_number"])
            self._take_over(store_id)
            self._positions[store_id] = last
            self._positions.save()
        elif error.reason == "WATCH_ENDED":
            pass
        elif is_passing(error):
            self._pauses += 1
            pause = error.retry_after_seconds or min(MAX_PAUSE_SECONDS, 0.5 * 2**self._pauses)
            self._stopped.wait(pause * random.uniform(0.8, 1.2))
        else:
            # POSITION_AHEAD among them: the store was restored from a backup, which a person must look at.
            raise error


def is_passing(error: ServiceError) -> bool:
    """Whether a watch that ended so may go on later. CANCELLED is a stream that was silent for too long."""
    return error.reason == "QUEUE_FULL" or error.code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )


@contextmanager
def cancel_when_silent(call: Stream[WatchEventsResponse], seconds: float) -> Iterator[Callable[[], None]]:
    """Cancels the call if the function that it yields is not called for so long."""
    timer = threading.Timer(seconds, call.cancel)
    timer.daemon = True
    timer.start()

    def heard() -> None:
        nonlocal timer
        timer.cancel()
        timer = threading.Timer(seconds, call.cancel)
        timer.daemon = True
        timer.start()

    try:
        yield heard
    finally:
        timer.cancel()
