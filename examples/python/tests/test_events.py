"""Following a store through everything that can end a watch: nothing is missed, nothing comes twice."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from purchasing.v1.event_pb2 import Event
from purchasing.v1.event_service_pb2 import EventPosition, WatchEventsRequest, WatchEventsResponse

from purchase_orders.connection import Connection
from purchase_orders.errors import ServiceError
from purchase_orders.events import Follower, PositionFile
from tests.conftest import Shop, open_shop
from tests.server import WAIT_SECONDS, Proxy, Server
from tests.standin import abort, serve


def nothing_to_take_over(store_id: str) -> None:
    raise AssertionError(f"no events of {store_id} are deleted")


class Watching:
    """A follower in a thread of its own, whose events a test takes one by one."""

    def __init__(
        self,
        connection: Connection,
        path: Path,
        store_id: str,
        take_over: Callable[[str], None] = nothing_to_take_over,
        silence_seconds: float = 30,
    ) -> None:
        self._events: queue.Queue[int] = queue.Queue()

        def handle(event: Event) -> None:
            self._events.put(event.event_number)

        self.follower = Follower(
            connection, PositionFile(path), [store_id], handle, take_over, silence_seconds
        )
        self._thread = threading.Thread(target=self.follower.run)
        self._thread.start()

    def take(self, count: int) -> list[int]:
        return [self._events.get(timeout=WAIT_SECONDS) for _ in range(count)]

    def stop(self) -> None:
        self.follower.stop()
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive(), "the follower ends"
        assert self._events.empty(), "nothing came that the test did not expect"


@contextmanager
def watching(
    connection: Connection,
    path: Path,
    store_id: str,
    take_over: Callable[[str], None] = nothing_to_take_over,
    silence_seconds: float = 30,
) -> Iterator[Watching]:
    watched = Watching(connection, path, store_id, take_over, silence_seconds)
    try:
        yield watched
    finally:
        watched.stop()


def test_a_second_watch_goes_on_where_the_first_one_stopped(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    with watching(shop.alice, path, shop.store_id) as watched:
        assert watched.take(2) == [1, 2]
        shop.placed_order()
        assert watched.take(2) == [3, 4], "created and placed, as it happens"
    shop.placed_order()
    shop.placed_order()
    with watching(shop.alice, path, shop.store_id) as watched:
        assert watched.take(4) == [5, 6, 7, 8]
        shop.placed_order()
        assert watched.take(2) == [9, 10]
    assert PositionFile(path)[shop.store_id] == 10


def test_an_event_that_could_not_be_handled_comes_again(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "positions.json"

    def fail_at_the_second(event: Event) -> None:
        if event.event_number == 2:
            raise LookupError("the follower's database is away")

    positions = PositionFile(path)
    with pytest.raises(LookupError):
        Follower(shop.alice, positions, [shop.store_id], fail_at_the_second, nothing_to_take_over).run()
    with watching(shop.alice, path, shop.store_id) as watched:
        assert watched.take(1) == [2]


def test_a_watch_goes_on_after_the_service_was_restarted(own_server: Server, tmp_path: Path) -> None:
    with own_server.connect("alice") as alice:
        shop = open_shop(own_server, alice)
        with watching(alice, tmp_path / "positions.json", shop.store_id) as watched:
            assert watched.take(2) == [1, 2]
            # The watch ends with STOPPING; until the service listens again, there is no connection.
            own_server.stop()
            own_server.start(own_server.address)
            shop.placed_order()
            assert watched.take(2) == [3, 4]


@pytest.mark.parametrize("reset", [False, True])
def test_a_watch_goes_on_after_its_connection_broke(
    shop: Shop, proxy: Proxy, tmp_path: Path, reset: bool
) -> None:
    with (
        Connection.development(proxy.address, "alice") as client,
        watching(client, tmp_path / "positions.json", shop.store_id) as watched,
    ):
        assert watched.take(2) == [1, 2]
        proxy.hold()
        shop.placed_order()
        proxy.cut(reset)
        assert watched.take(2) == [3, 4]


def test_a_watch_waits_for_a_place(shop: Shop, tmp_path: Path) -> None:
    # One address may have 128 watches, and a connection 128 calls.
    options = [("grpc.use_local_subchannel_pool", 1)]
    others = Connection(grpc.insecure_channel(shop.server.address, options), (("x-principal", "alice"),))
    position = EventPosition(store_id=shop.store_id)
    streams = [
        others.stream(others.events.WatchEvents, WatchEventsRequest(positions=[position]), 60)
        for _ in range(128)
    ]
    for stream in streams:
        next(iter(stream))
    request = WatchEventsRequest(positions=[position])
    with pytest.raises(grpc.RpcError) as refused:
        next(iter(shop.alice.stream(shop.alice.events.WatchEvents, request, 60)))
    assert ServiceError.from_rpc_error(refused.value).reason == "QUEUE_FULL"
    with watching(shop.alice, tmp_path / "positions.json", shop.store_id) as watched:
        others.close()
        assert watched.take(2) == [1, 2]


def test_a_position_of_another_database_ends_the_following(shop: Shop, tmp_path: Path) -> None:
    positions = PositionFile(tmp_path / "positions.json")
    positions[shop.store_id] = 4000
    follower = Follower(shop.alice, positions, [shop.store_id], lambda event: None, nothing_to_take_over)
    with pytest.raises(ServiceError) as ended:
        follower.run()
    assert ended.value.code is grpc.StatusCode.OUT_OF_RANGE
    assert ended.value.reason == "POSITION_AHEAD"
    assert ended.value.metadata["last_event_number"] == "2"


def test_a_store_that_the_caller_may_not_see_ends_the_following(shop: Shop, tmp_path: Path) -> None:
    positions = PositionFile(tmp_path / "positions.json")
    with shop.server.connect("carol") as carol:
        follower = Follower(carol, positions, [shop.store_id], lambda event: None, nothing_to_take_over)
        with pytest.raises(ServiceError) as ended:
            follower.run()
    assert ended.value.reason == "NO_STORE_ACCESS"


Answers = Callable[[WatchEventsRequest, grpc.ServicerContext], Iterator[WatchEventsResponse]]


@contextmanager
def stand_in(watch: Answers) -> Iterator[Connection]:
    """A connection to a service of which WatchEvents is this function."""
    handler = grpc.unary_stream_rpc_method_handler(
        watch,
        request_deserializer=WatchEventsRequest.FromString,
        response_serializer=WatchEventsResponse.SerializeToString,
    )
    with (
        serve("purchasing.v1.EventService", {"WatchEvents": handler}) as address,
        Connection.development(address, "alice") as client,
    ):
        yield client


def test_deleted_events_are_taken_over_by_lists(tmp_path: Path) -> None:
    asked: list[int] = []
    taken_over: list[str] = []

    def watch(request: WatchEventsRequest, context: grpc.ServicerContext) -> Iterator[WatchEventsResponse]:
        """Events up to 7 are deleted, and each watch ends after one event."""
        after = request.positions[0].after
        asked.append(after)
        if after < 7:
            numbers = {"store_id": "north", "first_event_number": "8", "last_event_number": "9"}
            abort(context, grpc.StatusCode.OUT_OF_RANGE, "POSITION_PRUNED", numbers)
        yield WatchEventsResponse(positions=request.positions)
        if after < 11:
            yield WatchEventsResponse(events=[Event(store_id="north", event_number=after + 1)])
        abort(context, grpc.StatusCode.UNAVAILABLE, "WATCH_ENDED")

    path = tmp_path / "positions.json"
    with stand_in(watch) as client, watching(client, path, "north", taken_over.append) as watched:
        assert watched.take(2) == [10, 11]
    assert taken_over == ["north"]
    assert asked[:3] == [0, 9, 10], "each watch begins at the position that was kept"
    assert PositionFile(path)["north"] == 11


def test_a_watch_that_is_silent_for_too_long_is_opened_again(tmp_path: Path) -> None:
    asked: list[int] = []

    def watch(request: WatchEventsRequest, context: grpc.ServicerContext) -> Iterator[WatchEventsResponse]:
        """The first watch sends no heartbeat."""
        asked.append(request.positions[0].after)
        yield WatchEventsResponse(positions=request.positions)
        if len(asked) > 1:
            yield WatchEventsResponse(events=[Event(store_id="north", event_number=1)])
        ended = threading.Event()
        if context.add_callback(ended.set):
            ended.wait(WAIT_SECONDS)

    path = tmp_path / "positions.json"
    with stand_in(watch) as client, watching(client, path, "north", silence_seconds=0.5) as watched:
        assert watched.take(1) == [1]


def test_a_gap_in_the_events_is_not_passed_over(tmp_path: Path) -> None:
    def watch(request: WatchEventsRequest, context: grpc.ServicerContext) -> Iterator[WatchEventsResponse]:
        yield WatchEventsResponse(events=[Event(store_id="north", event_number=2)])

    positions = PositionFile(tmp_path / "positions.json")
    with stand_in(watch) as client, pytest.raises(RuntimeError, match="event 2 came where 1 was to follow"):
        Follower(client, positions, ["north"], lambda event: None, nothing_to_take_over).run()


def test_positions_are_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    positions = PositionFile(path)
    positions["north"] = 5
    positions.save()
    before = tmp_path / "before"
    before.hardlink_to(path)
    positions["north"] = 6
    positions.save()
    # The file was never open for writing: another one has taken its name.
    assert PositionFile(before)["north"] == 5
    assert PositionFile(path)["north"] == 6
    assert PositionFile(path)["south"] == 0
