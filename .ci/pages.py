#!/usr/bin/env python3
"""Runs the shell blocks of documentation pages, and compares their output with the page.

Each page is run by one bash process, from the repository's root, or from the folder that `--folder` names,
in the order of its blocks. A block
```json or ```text that follows directly on a ```sh block is what that block must print; times and ids
may differ. Comments before a block say what cannot be seen from it:

  <!-- background -->  the block starts a server: wait until it prints the first line of the next block

A block that is not run says so to the reader, in a line of its own before it: `_Not run in CI: WHY._`
A block that is neither run, nor compared, nor marked fails the script, before any page is run.

`grpcurl` is a stand-in made of `buf curl`, because grpcurl is not packaged. The databases of the pages
are made in a scratch folder, whatever the working directory holds, and so is what they make with `mktemp`.
"""

import argparse
import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?:<!-- (?P<note>[^\n]*?) -->\n|^_Not run in CI: (?P<skip>[^\n]+)\._\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
LIMIT_SECONDS = 600
STOP_SECONDS = 30


def blocks(page):
    return [match.groupdict() for match in BLOCK.finditer(page.read_text())]


def check_accounted(page):
    """Fails on a block that is neither run, nor the output of the block before it, nor marked."""
    found = blocks(page)
    fences = len(re.findall(r"^\s*```", page.read_text(), re.M))
    if fences != 2 * len(found):
        raise SystemExit(f"{page}: a block has no language or is indented, so it would not be run")
    previous = None
    for block in found:
        is_output = block["language"] in ("json", "text") and previous == "run"
        is_run = block["language"] == "sh" and block["note"] in (None, "background")
        if not (block["skip"] or is_run or is_output or block["language"] == "mermaid"):
            raise SystemExit(f"{page}: this block is neither run nor marked as not run:\n{block['text']}")
        previous = "run" if is_run and not block["skip"] else None


def normalized(text):
    """Text without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"sqlite:\S+", "sqlite:DATABASE", text)
    return [line.rstrip() for line in text.strip().splitlines()]


def check_port_free(line):
    """Fails if a server could not listen at the address that it is to print."""
    address = re.search(r"listens on ([\d.]+):(\d+)", line)
    if not address:
        return
    host, port = address[1], int(address[2])
    with socket.socket() as probe:
        # As servers do, so that connections of an earlier server that are not yet forgotten are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise SystemExit(
                f"port {port} of {host} is taken by another program, and the server of this page must listen there.\n"
                f"`ss -ltnp 'sport = :{port}'` names the program: stop it, and run the page again.") from None


class Shell:
    """One bash process; what it prints is read line by line by a thread.

    What its servers print is read apart: it would appear among the output of later blocks.
    """

    def __init__(self, environment, folder, scratch):
        self.scratch = scratch
        self.process = subprocess.Popen(
            ["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.lines = []
        self.changed = threading.Condition()
        self.readers = []
        self.ended = self.read_beside(lambda: self.process.stdout, self.lines)

    def read_beside(self, opened, lines):
        """Reads into `lines`; the event that is returned is set when no process has the other end open any more."""
        ended = threading.Event()

        def read():
            for line in opened():
                with self.changed:
                    lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
            with self.changed:
                ended.set()
                self.changed.notify_all()

        self.readers.append(threading.Thread(target=read, daemon=True))
        self.readers[-1].start()
        return ended

    def wait_for(self, lines, found, what):
        with self.changed:
            if not self.changed.wait_for(lambda: found(lines), LIMIT_SECONDS):
                raise SystemExit(f"not seen within {LIMIT_SECONDS} s: {what}\n" + "\n".join(lines[-30:]))

    def run(self, text):
        """What a block prints, and whether its last command succeeded."""
        end = "--- end of block ---"
        with self.changed:
            begin = len(self.lines)
        self.process.stdin.write(f"{text}\nstatus=$?; echo; echo '{end}' $status\n")
        self.process.stdin.flush()

        def is_over(lines):
            return self.ended.is_set() or any(line.startswith(end) for line in lines[begin:])

        self.wait_for(self.lines, is_over, text)
        if not any(line.startswith(end) for line in self.lines[begin:]):
            raise SystemExit(f"bash ended within this block:\n{text}\n" + "\n".join(self.lines[begin:]))
        last = next(index for index in range(begin, len(self.lines)) if self.lines[index].startswith(end))
        return "\n".join(self.lines[begin:last]), self.lines[last] == f"{end} 0"

    def start(self, text, first_line):
        """Runs a block beside the others, until it prints `first_line`."""
        check_port_free(first_line)
        pipe = tempfile.mktemp(dir=self.scratch)
        os.mkfifo(pipe)
        printed = []
        ended = self.read_beside(lambda: open(pipe), printed)
        self.process.stdin.write(f"(\n{text}\n) </dev/null >'{pipe}' 2>&1 &\n")
        self.process.stdin.flush()
        wanted = normalized(first_line)

        def is_up(lines):
            return any(normalized(line) == wanted for line in lines)

        self.wait_for(printed, lambda lines: ended.is_set() or is_up(lines), first_line)
        if not is_up(printed):
            raise SystemExit(f"this block\n{text}\nended before it printed\n{first_line}\n\nIt printed\n" + "\n".join(printed))

    def stop(self):
        """Ends bash and the servers that it started, and returns when they have ended: SIGTERM, and after a while SIGKILL."""
        self.signal_all(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        # The servers are not children of this process; that they have ended shows in their output, which ends.
        for reader in self.readers:
            reader.join(max(0, until - time.monotonic()))
        if any(reader.is_alive() for reader in self.readers):
            self.signal_all(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()

    def signal_all(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def run_page(page, folder, scratch):
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:{scratch}/{page.stem}.sqlite",
        "PATH": f"{ROOT}/.ci/bin:{ROOT}/target/ci/node_modules/.bin:{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        "RUST_LOG": "warn",
        "CARGO_TERM_QUIET": "true",
        "NO_COLOR": "1",
    }
    shell = Shell(environment, folder, scratch)
    run = 0
    try:
        found = blocks(page)
        for index, block in enumerate(found):
            note = block["note"] or ""
            if block["language"] != "sh" or block["skip"]:
                continue
            following = found[index + 1] if index + 1 < len(found) else None
            expected = following["text"] if following and following["language"] in ("json", "text") else None
            run += 1
            if note == "background":
                shell.start(block["text"], expected.splitlines()[0])
                continue
            printed, succeeded = shell.run(block["text"])
            if expected is None and (not succeeded or "ERROR:" in printed):
                raise SystemExit(f"{page}: this block\n{block['text']}\nfails:\n{printed}")
            if expected is not None and normalized(printed) != normalized(expected):
                raise SystemExit(f"{page}: this block\n{block['text']}\nprints\n{printed}\nand not\n{expected}")
    finally:
        shell.stop()
    print(f"{page.relative_to(ROOT)}: {run} blocks ran, and printed what the page says")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=ROOT, help="where the blocks are run; the repository's root unless given")
    parser.add_argument("pages", nargs="+", help="pages to run, by their paths in the repository")
    arguments = parser.parse_args()
    # So that SIGTERM, as Ctrl-C does, passes through what ends the servers.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for name in arguments.pages:
        check_accounted(ROOT / name)
    scratch = tempfile.mkdtemp()
    try:
        for name in arguments.pages:
            run_page(ROOT / name, arguments.folder, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


main()
