#!/usr/bin/env python3
"""Runs each query of the dashboard and of the rules against a Prometheus that scrapes the service, and provokes the alerts.

Two instances of the service run, one on a PostgreSQL of this script's own and one on SQLite, and callers who do everything
that a store does. Then what the alerts are for is brought about: the database stops, is slow or loses connections at
COMMIT, a table is missing, a disk is full, an instance is killed. Meanwhile an observer asks Prometheus for each query that
has not returned data yet, and notes which alerts fire and which have ended.

The script fails if a query never returned a finite value, or an alert did not fire or did not end. It is run by a Python
that has grpcio and grpcio-tools, and needs the programs of PostgreSQL and of Prometheus:

    .ci/dashboards.py target/debug/purchase-order-service

Time is shortened: in the rules that this Prometheus loads, each minute in an expression or a `for:` is a second, and an hour is
a minute, while it scrapes and evaluates every half a second. Nothing else of the rules is changed.
"""

import glob
import json
import math
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from datetime import date, timedelta
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy/prometheus/rules.yml"
RULE_TESTS = ROOT / "deploy/prometheus/rules_test.yml"
DASHBOARD = ROOT / "deploy/grafana/purchase-order-service.json"
RUNBOOKS = ROOT / "docs/operations.md"
JOB = "purchase-order-service"
VARIABLES = {"$job": JOB, "$instance": ".+", "$__rate_interval": "5s"}
# What is not provoked here, and why. rules_test.yml tests these too.
UNIT_TEST_ONLY = {
    "PurchaseOrderClockSkewed": "the clock of this machine stays as it is",
    "PurchaseOrderSchemaVersionsDiffer": "there is one schema version so far",
}
LIMIT_SECONDS = 150
CONNECTIONS_PER_PEER = 30
# Health lets one address open 32 streams.
WATCHES = 40


class Failure(Exception):
    """What this script is there to find."""


def poll(what, found, limit=LIMIT_SECONDS):
    """The first value of `found` that is true."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise Failure(f"not seen within {limit} s: {what}")


def end_process(process, with_signal=signal.SIGTERM):
    process.send_signal(with_signal)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Postgres:
    """A PostgreSQL server of its own that listens on a socket in a folder, and can be stopped and started."""

    def __init__(self, scratch, cleanup):
        self.programs = self.find_programs()
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        self.as_user = []
        if os.getuid() == 0:
            # It refuses to run as root.
            user = pwd.getpwnam("postgres")
            for folder in (scratch, self.folder):
                os.chown(folder, user.pw_uid, user.pw_gid)
            self.as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.process = None
        cleanup.append(self.stop)
        self.run("initdb", "--pgdata=data", "--auth=trust", "--username=orders", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.start()
        self.sql("CREATE DATABASE orders", database="postgres")

    @staticmethod
    def find_programs():
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        on_path = shutil.which("pg_isready")
        if folders or on_path:
            return folders[-1] if folders else os.path.dirname(on_path)
        raise Failure("the programs of PostgreSQL are not installed")

    def run(self, program, *arguments):
        command = [*self.as_user, f"{self.programs}/{program}", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def sql(self, statement, database="orders"):
        self.run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "orders", "-c", statement, database)

    def start(self):
        options = ["-D", "data", "-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off"]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                [*self.as_user, f"{self.programs}/postgres", *options], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ready = [f"{self.programs}/pg_isready", "--quiet", "-h", str(self.folder)]
        poll("PostgreSQL accepts connections", lambda: subprocess.run(ready).returncode == 0)

    def stop(self):
        if self.process:
            end_process(self.process, signal.SIGINT)


class Proxy:
    """A way to PostgreSQL that can delay its answers and lose connections."""

    def __init__(self, folder):
        self.target = str(folder / ".s.PGSQL.5432")
        self.delay = 0
        # The next message of the service that contains this is its connection's last one.
        self.lost_at = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.forward, args=(server, client, True), daemon=True).start()

    def forward(self, source, target, is_answer):
        try:
            while data := source.recv(65536):
                if is_answer and self.delay:
                    time.sleep(self.delay)
                target.sendall(data)
                if not is_answer and self.lost_at and self.lost_at in data:
                    self.lost_at = None
                    break
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def lose_connections(self, until):
        """Loses a connection at a statement, and then one after its COMMIT was sent, again and again."""
        while not until.is_set():
            for lost_at in (b"BEGIN", b"COMMIT"):
                self.lost_at = lost_at
                until.wait(0.02)
        self.lost_at = None


class Service:
    """An instance of the service. Its metrics stay at one address while it is started again."""

    def __init__(self, program, name, url, scratch):
        self.program, self.name, self.url = program, name, url
        self.log = Path(scratch) / f"{name}.log"
        self.process = None
        # The first start chooses the ports, and later ones take them again.
        self.address = self.metrics = "127.0.0.1:0"
        self.start()

    def start(self):
        command = [
            self.program, "develop", "--database-url", self.url, "--listen", self.address, "--metrics-listen", self.metrics,
            "--max-connections-per-peer", str(CONNECTIONS_PER_PEER)]
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "info"}
        log = open(self.log, "w")
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        line = self.process.stdout.readline()
        if "listens on" not in line:
            raise Failure(f"{self.name} does not start: {self.log.read_text()}")
        self.address = line.split("listens on ")[1].split()[0]
        pattern = re.compile(r"metrics are served.*address=(\S+)")
        self.metrics = poll("where metrics are served", lambda: pattern.search(self.log.read_text())).group(1)

    def kill(self):
        end_process(self.process, signal.SIGKILL)
        self.process.stdout.close()


class SmallDisk:
    """A file system that can be filled, where this process may mount one."""

    def __init__(self, scratch, cleanup):
        self.folder = Path(scratch) / "disk"
        self.folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(self.folder)]
        self.is_mounted = subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0
        if self.is_mounted:
            cleanup.append(lambda: subprocess.run(["umount", str(self.folder)], check=True))
        self.ballast = self.folder / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as ballast:
            for size in (1 << 16, 1):
                try:
                    while ballast.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def make_room(self):
        self.ballast.unlink()


class Prometheus:
    """A Prometheus that scrapes and evaluates every half a second, with the rules in shortened time."""

    def __init__(self, scratch, targets):
        self.folder = Path(scratch) / "prometheus"
        self.folder.mkdir()
        self.set_targets(targets)
        (self.folder / "rules.yml").write_text(shortened(RULES.read_text()))
        # JSON is YAML.
        (self.folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": ["targets.json"]}]}],
        }))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = self.folder / "log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                 f"--web.listen-address=127.0.0.1:{port}"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        poll("Prometheus is ready", self.is_ready)

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failure(f"Prometheus has ended: {self.log.read_text()}")
        try:
            return urllib.request.urlopen(f"{self.url}/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def set_targets(self, targets):
        unfinished = self.folder / "targets.new"
        unfinished.write_text(json.dumps([{"targets": targets}]))
        unfinished.rename(self.folder / "targets.json")

    def get(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Failure(f"{parameters}: {error.read().decode()}") from error

    def values(self, expression):
        """How many finite values an expression has now."""
        data = self.get("query", query=expression)
        found = [data] if data["resultType"] == "scalar" else data["result"]
        return sum(math.isfinite(float(series["value"][1])) for series in found)


def shortened(rules):
    """The rules with minutes as seconds and hours as minutes. The names of records, which hold such a time, stay."""
    units = {"m": "s", "h": "m"}
    return re.sub(r"\b(\d+)([mh])\b", lambda match: match[1] + units[match[2]], rules)


def dashboard_queries():
    """Each expression of the dashboard by where it stands, with the variables replaced."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            if target["datasource"]["uid"] != "${datasource}":
                raise Failure(f"panel {panel['title']}: its data source is not the variable")
            found.append((f"panel {panel['title']}, {target['refId']}", target["expr"]))
    for annotation in dashboard["annotations"]["list"]:
        found.append((f"annotation {annotation['name']}", annotation["expr"]))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            found.append((f"variable {variable['name']}", f"group by ({label}) ({metric})"))
    return [(place, substituted(expression)) for place, expression in found]


def substituted(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    if "$" in expression:
        raise Failure(f"an unknown variable in {expression}")
    return expression


def check_dashboard():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    if len({panel["id"] for panel in panels}) != len(panels):
        raise Failure("two panels of the dashboard have the same id")
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            if cell in cells or cell[0] >= 24:
                raise Failure(f"panel {panel['title']} overlaps another one or the edge")
            cells.add(cell)
        if panel["type"] != "row" and not (panel["description"] and panel["targets"]):
            raise Failure(f"panel {panel['title']} has no description or no query")


def check_alerts(alerts):
    """Each alert tells what an operator needs, has a section in operations.md, and fires in a unit test."""
    headings = re.findall(r"^#+ (.+)$", RUNBOOKS.read_text(), re.M)
    sections = {heading.lower().replace(" ", "-") for heading in headings}
    tested = set(re.findall(r'labels: \'\{alertname="(\w+)"\}', RULE_TESTS.read_text()))
    for alert in alerts:
        name, annotations = alert["name"], alert["annotations"]
        if alert["labels"].get("severity") not in ("critical", "warning"):
            raise Failure(f"{name}: no severity")
        if not all(annotations.get(key) for key in ("summary", "description", "runbook")):
            raise Failure(f"{name}: no summary, description or runbook")
        page, _, section = annotations["runbook"].partition("#")
        if page != "docs/operations.md" or section != name.lower() or section not in sections:
            raise Failure(f"{name}: {annotations['runbook']} is not a section of its name")
        if name not in tested:
            raise Failure(f"{name}: no unit test sees it fire")


class Observer:
    """Asks Prometheus all the time for what has not been seen yet, and which alerts fire."""

    def __init__(self, prometheus, queries):
        self.prometheus = prometheus
        self.unseen = dict(queries)
        self.seen = {}
        self.firing = set()
        self.fired = {}
        self.ended = {}
        self.error = None
        self.begun = time.monotonic()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.observe)
        self.thread.start()

    def observe(self):
        try:
            while not self.stopping.is_set():
                self.look_at_alerts()
                for place, expression in list(self.unseen.items()):
                    if count := self.prometheus.values(expression):
                        self.seen[place] = (count, time.monotonic() - self.begun)
                        del self.unseen[place]
                self.stopping.wait(0.3)
        except Exception as error:  # The thread that waits next raises it.
            self.error = error

    def look_at_alerts(self):
        alerts = [alert for alert in self.prometheus.get("alerts")["alerts"] if alert["state"] == "firing"]
        for alert in alerts:
            for key, text in alert["annotations"].items():
                if "<no value>" in text or "error expanding template" in text:
                    raise Failure(f"{alert['labels']['alertname']}: its {key} is {text}")
        now, passed = {alert["labels"]["alertname"] for alert in alerts}, time.monotonic() - self.begun
        for name in now - self.firing:
            self.fired.setdefault(name, passed)
            self.ended.pop(name, None)
        for name in self.firing - now:
            self.ended[name] = passed
        self.firing = now

    def check(self):
        if self.error:
            raise self.error

    def wait_fired(self, *names):
        """Waits until each of these has fired since this was called."""
        missing = set(names)

        def still_missing():
            missing.difference_update(self.firing)
            return sorted(missing)

        self.wait("these alerts fire", still_missing)

    def wait_ended(self, *names, limit=LIMIT_SECONDS):
        self.wait("these alerts end", lambda: [name for name in names if name in self.firing], limit)

    def wait(self, what, missing, limit=LIMIT_SECONDS):
        def is_done():
            self.check()
            return not missing()
        try:
            poll(what, is_done, limit)
        except Failure as failure:
            raise Failure(f"{failure}: {', '.join(missing())}") from None

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Load:
    """Callers of one instance, each with a connection of its own, until they are stopped. They go on after errors."""

    def __init__(self, service, contract, stopping):
        self.service, self.contract, self.stopping = service, contract, stopping
        self.threads = []

    def channel(self):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
                   ("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        return grpc.insecure_channel(self.service.address, options=options)

    def start(self, act, count=1, pause=0.0, until=None):
        for _ in range(count):
            thread = threading.Thread(target=self.repeat, args=(act, pause, until or self.stopping), daemon=True)
            thread.start()
            self.threads.append(thread)

    def repeat(self, act, pause, until):
        with self.channel() as channel:
            while not until.is_set():
                try:
                    act(self.contract, channel)
                except grpc.RpcError:
                    until.wait(0.05)
                until.wait(pause)


class Contract:
    """The messages and stubs that are generated from the proto files."""

    def __init__(self, folder):
        import grpc_tools
        from grpc_tools import protoc
        google = Path(grpc_tools.__file__).parent / "_proto"
        files = sorted(str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto"))
        if protoc.main(["protoc", f"-I{ROOT}/proto", f"-I{google}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]):
            raise Failure("the contract cannot be compiled")
        sys.path.insert(0, str(folder))
        from purchasing.v1 import event_service_pb2 as events, event_service_pb2_grpc as events_grpc
        from purchasing.v1 import inventory_service_pb2 as stock, inventory_service_pb2_grpc as stock_grpc
        from purchasing.v1 import purchase_order_pb2 as values
        from purchasing.v1 import purchase_order_service_pb2 as orders, purchase_order_service_pb2_grpc as orders_grpc
        from purchasing.v1 import report_service_pb2 as reports, report_service_pb2_grpc as reports_grpc
        from purchasing.v1 import store_service_pb2 as stores, store_service_pb2_grpc as stores_grpc
        self.events, self.events_of = events, events_grpc.EventServiceStub
        self.stock, self.stock_of = stock, stock_grpc.InventoryServiceStub
        self.orders, self.orders_of, self.values = orders, orders_grpc.PurchaseOrderServiceStub, values
        self.reports, self.reports_of = reports, reports_grpc.ReportServiceStub
        self.stores, self.stores_of = stores, stores_grpc.StoreServiceStub


AS_ALICE = (("x-principal", "alice"),)
AS_BOB = (("x-principal", "bob"),)
AS_OPERATOR = (("x-principal", "operator"),)


def order_story(contract, channel):
    """An order from its creation to its back order, with reads between, and calls that are refused."""
    c, orders = contract, contract.orders_of(channel)
    common = {"metadata": AS_ALICE, "timeout": 20}
    line = c.orders.NewLine(product_id="oil", description="Oil", unit=c.values.UNIT_BOTTLE, quantity="24", unit_cost="4.75")
    request = c.orders.CreatePurchaseOrderRequest(store_id="demo", supplier_id="baker", lines=[line])
    order = orders.CreatePurchaseOrder(request, **common).purchase_order.purchase_order_id
    named = {"store_id": "demo", "purchase_order_id": order}
    refused = [
        lambda: orders.CompletePurchaseOrder(c.orders.CompletePurchaseOrderRequest(**named), **common),
        lambda: orders.PlacePurchaseOrder(c.orders.PlacePurchaseOrderRequest(**named), metadata=AS_BOB, timeout=20),
        lambda: orders.GetPurchaseOrder(c.orders.GetPurchaseOrderRequest(**named), timeout=20),
    ]
    for call in refused:
        try:
            call()
        except grpc.RpcError:
            pass
    orders.PlacePurchaseOrder(c.orders.PlacePurchaseOrderRequest(**named), **common)
    item = c.orders.NewReceiptItem(line_number=1, accepted="18")
    orders.ReceivePurchaseOrder(c.orders.ReceivePurchaseOrderRequest(**named, items=[item]), **common)
    orders.GetPurchaseOrder(c.orders.GetPurchaseOrderRequest(**named), **common)
    rest = c.values.PENDING_DISPOSITION_BACK_ORDER
    orders.CompletePurchaseOrder(c.orders.CompletePurchaseOrderRequest(**named, rest=rest), **common)
    orders.ListPurchaseOrders(c.orders.ListPurchaseOrdersRequest(store_id="demo"), **common)
    c.stock_of(channel).GetInventoryLevel(c.stock.GetInventoryLevelRequest(store_id="demo", product_id="oil"), **common)
    days = {"order_date_from": str(date.today() - timedelta(7)), "order_date_before": str(date.today() + timedelta(7))}
    c.reports_of(channel).GetSupplierPerformance(c.reports.GetSupplierPerformanceRequest(store_id="demo", **days), **common)


def watch_events(contract, channel):
    request = contract.events.WatchEventsRequest(positions=[contract.events.EventPosition(store_id="demo", after=0)])
    for _ in contract.events_of(channel).WatchEvents(request, metadata=AS_ALICE):
        pass


def impatient_call(contract, channel):
    """A write that does not wait for a slow database."""
    order = contract.orders.NewLine(product_id="tea", description="Tea", unit=contract.values.UNIT_EACH, quantity="1", unit_cost="2")
    request = contract.orders.CreatePurchaseOrderRequest(store_id="demo", supplier_id="baker", lines=[order])
    contract.orders_of(channel).CreatePurchaseOrder(request, metadata=AS_ALICE, timeout=0.5)


def flood_with_watches(_, channel):
    """More streams than health lets one address have."""
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch", lambda request: request, lambda answer: answer)
    streams = [watch(b"", timeout=2) for _ in range(WATCHES)]
    for stream in streams:
        try:
            next(stream)
        except (grpc.RpcError, StopIteration):
            pass
    for stream in streams:
        stream.cancel()


def flood_with_connections(service, until):
    """More connections than one address may have."""
    host, port = service.address.split(":")
    while not until.is_set():
        opened = []
        try:
            opened = [socket.create_connection((host, int(port)), timeout=5) for _ in range(2 * CONNECTIONS_PER_PEER)]
        except OSError:
            pass  # The service has stopped.
        until.wait(0.5)
        for connection in opened:
            connection.close()


def provoke(postgres, proxy, disk, on_postgres, on_sqlite, loads, prometheus, observer):
    """Brings about what the alerts are for, and waits for them."""
    print("the database stops, a disk is full, and floods of streams and connections", flush=True)
    flooding = threading.Event()
    loads[1].start(flood_with_watches, until=flooding)
    connecting = threading.Thread(target=flood_with_connections, args=(on_sqlite, flooding), daemon=True)
    connecting.start()
    if disk.is_mounted:
        disk.fill()
        observer.wait_fired("PurchaseOrderStorageFull")
    postgres.stop()
    observer.wait_fired(
        "PurchaseOrderServiceNotServing", "PurchaseOrderDatabaseUnavailable", "PurchaseOrderFaultRatioHigh",
        "PurchaseOrderFaultRatioRaised", "PurchaseOrderNoDatabaseConnection", "PurchaseOrderQueueFull",
        "PurchaseOrderConnectionsRefused")
    flooding.set()
    if disk.is_mounted:
        disk.make_room()
    postgres.start()
    observer.wait_ended("PurchaseOrderServiceNotServing", "PurchaseOrderDatabaseUnavailable")

    print("a table is missing, and connections are lost at COMMIT", flush=True)
    postgres.sql("ALTER TABLE purchase_order_line RENAME TO purchase_order_line_gone")
    observer.wait_fired("PurchaseOrderInternalErrors")
    postgres.sql("ALTER TABLE purchase_order_line_gone RENAME TO purchase_order_line")

    losing = threading.Event()
    threading.Thread(target=proxy.lose_connections, args=(losing,), daemon=True).start()
    observer.wait_fired("PurchaseOrderCommitOutcomeUnknown", "PurchaseOrderTransactionRetries")
    losing.set()

    print("the database is slow; the other instance is killed again and again", flush=True)
    proxy.delay = 0.15
    impatient = threading.Event()
    loads[0].start(impatient_call, count=6, until=impatient)
    on_sqlite.kill()
    observer.wait_fired("PurchaseOrderServiceDown")
    for _ in range(3):
        started = time.time()
        on_sqlite.start()
        start_time = f'process_start_time_seconds{{instance="{on_sqlite.metrics}"}}'
        poll("its new start is scraped", lambda: prometheus.values(f"{start_time} > {started}"))
        on_sqlite.kill()
    on_sqlite.start()
    observer.wait_fired(
        "PurchaseOrderRestarts", "PurchaseOrderLatencyHigh", "PurchaseOrderDeadlinesExceeded",
        "PurchaseOrderWriterQueueBacklog")
    impatient.set()
    proxy.delay = 0

    print("the targets are gone", flush=True)
    prometheus.set_targets([])
    observer.wait_fired("PurchaseOrderServiceAbsent")
    prometheus.set_targets([on_postgres.metrics, on_sqlite.metrics])

    print("all is well again", flush=True)
    observer.wait("every query returns data", lambda: list(observer.unseen))
    observer.wait_ended(*observer.fired, limit=2 * LIMIT_SECONDS)


def report(observer, alerts):
    print(f"\n{'query':75} {'series':>6} {'after':>7}")
    for place, (count, after) in sorted(observer.seen.items()):
        print(f"{place:75} {count:6} {after:5.0f} s")
    for place, expression in observer.unseen.items():
        print(f"{place:75} NOTHING: {expression}")
    print(f"\n{'alert':75} {'fired':>6} {'ended':>7}")
    for alert in alerts:
        name = alert["name"]
        if name in UNIT_TEST_ONLY and name not in observer.fired:
            print(f"{name:75} in its unit test alone: {UNIT_TEST_ONLY[name]}")
        else:
            fired, ended = (times.get(name, math.nan) for times in (observer.fired, observer.ended))
            print(f"{name:75} {fired:4.0f} s {ended:5.0f} s")


def rule_queries(groups):
    """Each record, and the expression of each alert that is provoked, which has a value only while its cause lasts."""
    found = []
    for rule in (rule for group in groups for rule in group["rules"]):
        if rule["type"] == "recording":
            found.append((f"record {rule['name']}", rule["name"]))
        elif rule["name"] not in UNIT_TEST_ONLY:
            found.append((f"alert {rule['name']}", rule["query"]))
    return found


def main(program):
    check_dashboard()
    scratch = tempfile.mkdtemp()
    # What is ended at the end, the newest first.
    cleanup = []
    stopping = threading.Event()
    try:
        contract = Contract(scratch)
        postgres = Postgres(scratch, cleanup)
        proxy = Proxy(postgres.folder)
        url = f"postgres://orders@127.0.0.1:{proxy.port}/orders?sslmode=disable"
        subprocess.run([program, "migrate", "--database-url", url], check=True, stdin=subprocess.DEVNULL)
        on_postgres = Service(program, "on-postgres", url, scratch)
        cleanup.append(on_postgres.kill)
        disk = SmallDisk(scratch, cleanup)
        if not disk.is_mounted:
            UNIT_TEST_ONLY["PurchaseOrderStorageFull"] = "no small disk can be mounted here"
        on_sqlite = Service(program, "on-sqlite", f"sqlite:{disk.folder}/orders.sqlite", scratch)
        cleanup.append(on_sqlite.kill)

        prometheus = Prometheus(scratch, [on_postgres.metrics, on_sqlite.metrics])
        cleanup.append(lambda: end_process(prometheus.process))
        groups = poll("the rules", lambda: prometheus.get("rules")["groups"])
        alerts = [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]
        check_alerts(alerts)
        queries = dashboard_queries() + rule_queries(groups)

        loads = [Load(service, contract, stopping) for service in (on_postgres, on_sqlite)]
        for load in loads:
            with load.channel() as channel:
                request = contract.stores.EnableBackOrdersRequest(store_id="demo")
                contract.stores_of(channel).EnableBackOrders(request, metadata=AS_OPERATOR, timeout=20)
            load.start(order_story, count=8, pause=0.2)
            load.start(watch_events)
        observer = Observer(prometheus, queries)
        cleanup.append(observer.stop)
        poll("queries of a healthy service", lambda: observer.check() or len(observer.seen) > len(queries) // 2)
        try:
            provoke(postgres, proxy, disk, on_postgres, on_sqlite, loads, prometheus, observer)
        finally:
            report(observer, alerts)
        missing = [alert["name"] for alert in alerts if alert["name"] not in {**observer.ended, **UNIT_TEST_ONLY}]
        if missing:
            raise Failure(f"these alerts did not fire and end: {', '.join(missing)}")
        print(f"\n{len(observer.seen)} queries returned data; {len(observer.ended)} alerts fired and ended")
    finally:
        stopping.set()
        for end in reversed(cleanup):
            end()
        shutil.rmtree(scratch, ignore_errors=True)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
try:
    main(*sys.argv[1:])
except Failure as failure:
    sys.exit(f"FAILED: {failure}")
