# shellcheck shell=bash

DEPLOY=$TOOLS/deploy/bin

# What deploy/ holds is checked as far as it can be without a cluster or a container engine, and the dashboard and the alerts
# are tried with a Prometheus that scrapes the service.
step_deploy() {
    install_deploy_tools
    promtool check config deploy/prometheus/prometheus.yml
    (cd deploy/prometheus && promtool test rules rules_test.yml)
    "$DEPLOY/hadolint" deploy/Dockerfile
    cargo build --locked
    "$DEPLOY/python" .ci/deployment.py target/debug/purchase-order-service
    "$DEPLOY/python" .ci/dashboards.py target/debug/purchase-order-service
}

# Programs and libraries at fixed versions, in a virtual environment of their own.
install_deploy_tools() {
    cmp -s .ci/deploy-requirements.txt "$TOOLS/deploy/installed.txt" && return
    rm -rf "$TOOLS/deploy"
    python3 -m venv "$TOOLS/deploy"
    "$DEPLOY/pip" install --quiet --disable-pip-version-check --no-deps -r .ci/deploy-requirements.txt
    cp .ci/deploy-requirements.txt "$TOOLS/deploy/installed.txt"
}
