# shellcheck shell=bash

has() { command -v "$1" >/dev/null; }

has_postgres() {
    local bin
    has initdb && has postgres && return
    for bin in /usr/lib/postgresql/*/bin; do
        [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
    done
    return 1
}

# The programs alone: the tests start their own server, and the package's must not run.
install_postgres() {
    install postgresql-common
    sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    install postgresql
}

install_missing() {
    local packages=() postgres=false
    has cc || packages+=(gcc libc6-dev)
    has make || packages+=(make)
    has perl || packages+=(perl)
    has node || packages+=(nodejs)
    has npm || packages+=(npm)
    [ -n "${TEST_DATABASE_URL:-}" ] || has_postgres || postgres=true
    has curl || packages+=(curl)
    has jq || packages+=(jq)
    has python3 || packages+=(python3 python3-venv)
    has openssl || packages+=(openssl)
    has promtool || packages+=(prometheus)
    has systemd-analyze || packages+=(systemd)
    has pgbouncer || [ -x /usr/sbin/pgbouncer ] || packages+=(pgbouncer)
    [ "${#packages[@]}" -gt 0 ] || $postgres || return 0
    apt-get update -qq
    [ "${#packages[@]}" -eq 0 ] || install "${packages[@]}"
    ! $postgres || install_postgres
}

step_tools() {
    install_missing
    if [ "$("$BUF" --version 2>/dev/null)" != "$BUF_VERSION" ]; then
        mkdir -p "$TOOLS"
        npm install --prefix "$TOOLS" --no-save --no-audit --no-fund --loglevel=error "@bufbuild/buf@$BUF_VERSION"
    fi
}
