#!/usr/bin/env python3
"""Checks deploy/ as far as it can be without a container engine and a cluster.

    .ci/deployment.py target/debug/purchase-order-service

- The Compose file is rendered by docker-compose, which checks it against the schema of Compose files.
- The Kubernetes manifests are rendered by `kubectl kustomize` and checked against the schemas of Kubernetes, with unknown fields
  as errors.
- The systemd unit is verified by systemd, with warnings as errors, and its exposure is rated.
- What the Dockerfile may copy is all that Cargo needs to read the manifest.
- For each of them: the variables are options of the service, which accepts their values, and what stops the service waits
  longer than a stop can take.

Nothing is started. It is run by a Python that has PyYAML, with docker-compose, kubectl and kubernetes-validate beside it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sys.executable).parent
# The oldest and the newest Kubernetes whose schemas the manifests are checked against.
KUBERNETES = ("1.33", "1.37")
# What `systemd-analyze security` may rate the unit at most, of 100. It was 12 when this was written.
EXPOSURE = 15
UNIT = DEPLOY / "systemd/purchase-order-service.service"
# What is mounted into containers; the program is given a file of the same name.
MOUNTED = ("/etc/purchase-orders/", "/run/secrets/")


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"FAILED: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def known_variables():
    """The variables in the tables of the reference of all options."""
    return set(re.findall(r"\| `--[a-z-]+` \| `([A-Z_]+)` \|", (ROOT / "docs/configuration.md").read_text()))


def stop_end():
    """How many seconds a stop may take beyond its delay and its draining."""
    source = (ROOT / "src/cli/running.rs").read_text()
    return int(re.search(r"const STOP_END: Duration = Duration::from_secs\((\d+)\)", source)[1])


def check_environment(program, place, variables, grace, scratch):
    """Whether the service knows these variables and takes their values, and is given the time to stop."""
    check(variables and variables.keys() <= known_variables(), f"{place}: unknown variables: {variables.keys() - known_variables()}")
    environment = {}
    for name, value in variables.items():
        for folder in MOUNTED:
            value = value.replace(folder, f"{scratch}/")
        for path in re.findall(re.escape(str(scratch)) + r"[^?&]*", value):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text("content")
        environment[name] = value
    run(program, "config", "show", "serve", env=environment, cwd=scratch)
    stopping = int(variables["SHUTDOWN_DELAY_SECONDS"]) + int(variables["DRAIN_SECONDS"]) + stop_end()
    check(grace > stopping, f"{place}: a stop may take {stopping} s, and {grace} s are given")
    print(f"{place}: {len(variables)} variables are accepted; a stop takes {stopping} s at most, {grace} s are given")


def check_compose(program, scratch):
    rendered = run(PROGRAMS / "docker-compose", "-f", DEPLOY / "compose/compose.yml", "config", "--format", "json").stdout
    services = json.loads(rendered)["services"]
    for name in ("orders-1", "orders-2"):
        grace = re.fullmatch(r"(?:(\d+)m)?(\d+)s", services[name]["stop_grace_period"])
        seconds = int(grace[1] or 0) * 60 + int(grace[2])
        check_environment(program, f"compose, {name}", services[name]["environment"], seconds, scratch)
    for service in services.values():
        for mount in service.get("volumes", []):
            # The key set is the operator's.
            if mount["type"] == "bind" and Path(mount["source"]).name != "token-keys.json":
                check(Path(mount["source"]).is_file(), f"compose: {mount['source']} does not exist")
        if "build" in service:
            check((Path(service["build"]["context"]) / service["build"]["dockerfile"]).is_file(), "compose: no Dockerfile")
    for name in ("prometheus.yml", "rules.yml"):
        mounted = [mount for mount in services["prometheus"]["volumes"] if mount["target"] == f"/etc/prometheus/{name}"]
        shutil.copy(mounted[0]["source"], scratch / name)
    run("promtool", "check", "config", scratch / "prometheus.yml")
    print(f"compose: {', '.join(services)} are valid")


def check_kubernetes(program, scratch):
    documents = []
    for folder in ("base", "migrate", "monitoring"):
        rendered = scratch / f"{folder}.yaml"
        rendered.write_text(run(PROGRAMS / "kubectl", "kustomize", DEPLOY / "kubernetes" / folder).stdout)
        documents += list(yaml.safe_load_all(rendered.read_text()))
        if folder == "monitoring":
            continue
        for version in KUBERNETES:
            run(PROGRAMS / "kubernetes-validate", "--strict", "-k", version, rendered)
    named = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    pod = named["Deployment", "purchase-orders"]["spec"]["template"]["spec"]
    source = pod["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    variables = named["ConfigMap", source]["data"]
    check_environment(program, "kubernetes", variables, pod["terminationGracePeriodSeconds"], scratch)
    job = named["Job", "purchase-orders-migrate"]["spec"]["template"]["spec"]["containers"][0]
    for variable in job["env"]:
        check(variables[variable["name"]] == variable["value"], f"kubernetes: {variable['name']} of the Job is another one")
    check_selectors(named)
    print(f"kubernetes: {len(documents)} resources; {len(documents) - 1} are valid for {' and '.join(KUBERNETES)}")


def check_selectors(named):
    """Whether everything that selects the pods of the Deployment has their labels, and names their ports."""
    template = named["Deployment", "purchase-orders"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    service = named["Service", "purchase-orders"]
    policy = named["NetworkPolicy", "purchase-orders"]["spec"]
    monitor = named["ServiceMonitor", "purchase-orders"]["spec"]
    selectors = {
        "Deployment": named["Deployment", "purchase-orders"]["spec"]["selector"]["matchLabels"],
        "Service": service["spec"]["selector"],
        "PodDisruptionBudget": named["PodDisruptionBudget", "purchase-orders"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": policy["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        check(selector.items() <= labels.items(), f"kubernetes: the {kind} does not select the pods")
    check(monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items(), "the ServiceMonitor finds no Service")
    check(service["metadata"]["labels"][monitor["jobLabel"]] == "purchase-order-service", "the rules would not know the job")
    used = {port["targetPort"] for port in service["spec"]["ports"]}
    used |= {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    check(used <= ports, f"kubernetes: no such ports: {used - ports}")


def check_systemd(program, scratch):
    text = UNIT.read_text()
    # systemd looks whether the program is there, which it is on the machine of an operator.
    staged = scratch / UNIT.name
    staged.write_text(text.replace("/usr/local/bin/purchase-order-service", str(program)))
    verified = run("systemd-analyze", "verify", "--man=no", staged)
    # What is not known is a warning and no error for it.
    ours = [line for line in verified.stderr.splitlines() if UNIT.name in line]
    check(not ours, "systemd: " + "\n".join(ours))
    rated = run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", UNIT)
    users = scratch / "machine"
    (users / "etc/sysusers.d").mkdir(parents=True)
    shutil.copy(DEPLOY / "systemd/purchase-orders.conf", users / "etc/sysusers.d")
    run("systemd-sysusers", f"--root={users}")
    user = re.search(r"^User=(.+)$", text, re.M)[1]
    check(f"\n{user}:" in "\n" + (users / "etc/passwd").read_text(), f"systemd: no user {user}")
    settings = re.findall(r"^Environment=(\w+)=(.+)$", text, re.M)
    check(dict(settings).keys() <= known_variables(), f"systemd: unknown variables in {settings}")
    grace = int(re.search(r"^TimeoutStopSec=(\d+)s$", text, re.M)[1])
    # The delay is 5 s unless it is set.
    defaults = run(program, "config", "show", "serve", "--client-ca", "ca", "--tls-certificate", "c", "--tls-key", "k",
                   env={}, cwd=scratch).stdout
    drain = int(re.search(r"^drain_seconds = (\d+)", defaults, re.M)[1])
    check(grace > 5 + drain + stop_end(), "systemd: TimeoutStopSec is shorter than a stop by default")
    print("systemd: verified;", rated.stdout.strip().splitlines()[-1].strip("→ "))


def check_dockerfile(scratch):
    """Whether Cargo finds everything in a copy of what the Dockerfile may copy."""
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    copy = scratch / "source"
    copy.mkdir()
    for name in allowed:
        source = ROOT / name
        check(source.exists(), f"Dockerfile.dockerignore: {name} does not exist")
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    run("cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version=1", cwd=copy)
    for read in re.findall(r"rerun-if-changed=(\w+)", (ROOT / "build.rs").read_text()):
        check(read in allowed, f"Dockerfile.dockerignore: build.rs reads {read}, which is left out")
    print(f"Dockerfile: the build is given {', '.join(allowed)}")


def check_version():
    """Whether images have the version of the program, and the changelog tells what that version brought."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    found = 0
    for file in sorted(file for file in [*DEPLOY.rglob("*"), ROOT / "docs/deploy.md"] if file.is_file()):
        for named in re.findall(r"(?:purchase-order-service:|newTag: )(\d[\w.-]*\w)", file.read_text()):
            check(named == version, f"{file.relative_to(ROOT)}: an image of {named}, and Cargo.toml has {version}")
            found += 1
    check(found > 0, "deploy/ names no image")
    check(f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text(), f"CHANGELOG.md: there is no {version}")
    print(f"version: {version} in Cargo.toml, images and the changelog")


def main(program):
    program = Path(program).resolve()
    scratch = Path(tempfile.mkdtemp())
    try:
        check_version()
        check_dockerfile(scratch)
        check_compose(program, scratch)
        check_kubernetes(program, scratch)
        check_systemd(program, scratch)
    finally:
        shutil.rmtree(scratch)


main(*sys.argv[1:])
