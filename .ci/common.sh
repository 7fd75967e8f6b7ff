# shellcheck shell=bash disable=SC2034 # the variables are for the steps
# What the steps share: the environment, paths, and functions that more than one of them calls.

export CI=true DEBIAN_FRONTEND=noninteractive
# From an empty folder nothing is built a second time, so what makes a second build faster is only work and space.
export CARGO_INCREMENTAL=0

# What the caller's environment says of databases and ports is not this run's.
unset DATABASE_URL DATABASE_LAYOUT DATABASE_TIMEOUT_SECONDS LISTEN WRITERS REQUEST_RETENTION_DAYS EVENT_RETENTION_DAYS MAX_DEADLINE_SECONDS DRAIN_SECONDS MAX_CONNECTIONS
unset MAX_CONNECTIONS_PER_PEER TOKEN_KEYS TOKEN_ISSUER TOKEN_AUDIENCE OPERATOR_CLAIM TLS_CERTIFICATE TLS_KEY CLIENT_CA
unset OPERATOR_CERTIFICATES ALLOW_PLAINTEXT PUBLIC_REFLECTION RUST_LOG ORACLE_COMMANDS ORACLE_SEED
unset WEB_LISTEN WEB_ORIGINS LOG_FORMAT ACCESS_LOG CONFIG DATABASE_PASSWORD_FILE CHAOS_INTENTIONS CHAOS_SEED KILLS KILLS_SEED SHUTDOWN_DELAY_SECONDS METRICS_LISTEN
unset CALL_TOKEN_FILE PURCHASE_ORDER_SERVICE OTLP_ENDPOINT OTLP_CA TRACE_RATIO
unset OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TRACES_HEADERS

BUF_VERSION=1.75.0
TOOLS=$PWD/target/ci
BUF=$TOOLS/node_modules/.bin/buf
# Files of this run alone, removed at its end.
SCRATCH=$(mktemp -d)
# The process of the server that a step has started and not yet stopped.
SERVER=

# Ends the server of a step, if it runs, and tells its exit status; after 30 s by force.
stop_server() {
    local pid=$SERVER status=0
    SERVER=
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || :
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || :
    wait "$pid" || status=$?
    return "$status"
}

install() {
    echo "installing $*"
    # A package that brings a daemon must not start it.
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@"
}

# The Python programs of .ci/requirements.txt, in an environment of their own.
python_tools() {
    local venv=$TOOLS/venv
    if ! cmp -s .ci/requirements.txt "$venv/requirements.txt"; then
        python3 -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --no-deps --disable-pip-version-check -r .ci/requirements.txt
        "$venv/bin/pip" check
        cp .ci/requirements.txt "$venv/"
    fi
}
