"""The program as a developer runs it."""

import subprocess
import sys
from pathlib import Path

from tests.server import Server

PROGRAM = Path(__file__).resolve().parents[1] / "orders.py"


def run(server: Server, principal: str, positions: Path) -> subprocess.CompletedProcess[str]:
    options = ["--address", server.address, "--principal", principal, "--positions", str(positions)]
    return subprocess.run(
        [sys.executable, str(PROGRAM), *options], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_story_runs_twice_and_its_follower_goes_on(own_server: Server, tmp_path: Path) -> None:
    positions = tmp_path / "positions.json"
    first = run(own_server, "alice", positions)
    assert first.returncode == 0, first.stderr
    assert "complete PO-000001, with PO-000001-B1 for 6 lines" in first.stdout
    assert "follow   events 1 to 11: each came once" in first.stdout
    second = run(own_server, "alice", positions)
    assert second.returncode == 0, second.stderr
    assert "follow   events 12 to 19: each came once" in second.stdout


def test_positions_of_another_database_are_noticed(own_server: Server, tmp_path: Path) -> None:
    positions = tmp_path / "positions.json"
    positions.write_text('{"demo": 4000}')
    ended = run(own_server, "alice", positions)
    assert ended.returncode != 0
    assert "POSITION_AHEAD" in ended.stderr


def test_a_caller_without_permission_is_told_the_reason(own_server: Server, tmp_path: Path) -> None:
    ended = run(own_server, "bob", tmp_path / "positions.json")
    assert ended.returncode == 1
    assert "PERMISSION_DENIED PERMISSION_MISSING" in ended.stderr
