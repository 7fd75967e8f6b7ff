# shellcheck shell=sh
# Runs a PostgreSQL cluster for as long as this script's standard input stays open. The test process
# holds the other end, so the cluster goes when that process does, whatever ends it.
#
# $1: the directory of PostgreSQL's programs.
# $2, if the cluster is also to be reached through TCP, and only encrypted: a folder with server.pem and server.key.
# $3: the port then.
set -eu
trap '' HUP INT TERM

bin=$1
as=
dir=$(mktemp -d "${TMPDIR:-/tmp}/purchase-orders-test.XXXXXX")

stop() {
    if [ -n "${server:-}" ]; then
        kill -QUIT "$(head -n 1 "$dir/data/postmaster.pid")" 2>/dev/null || kill "$server" 2>/dev/null || :
        wait "$server" || :
    fi
    rm -rf "$dir"
}
trap stop EXIT

# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id -u "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    if command -v setpriv >/dev/null; then
        as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
    else
        as="runuser -u $user --"
    fi
fi

cd "$dir"
$as "$bin/initdb" --pgdata=data --auth=trust --username=tester --encoding=UTF8 --locale=C --no-sync >log 2>&1 ||
    { cat log >&2; exit 1; }
set -- "$bin" "${2:-}" "${3:-5432}"
if [ -n "$2" ]; then
    cp "$2/server.pem" "$2/server.key" data/
    chown --reference=data data/server.pem data/server.key
    chmod 600 data/server.key
    printf 'local all all trust\nhostssl all all all trust\n' >data/pg_hba.conf
    encrypted="-c listen_addresses=localhost -c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.key"
fi
# shellcheck disable=SC2086
$as "$bin/postgres" -D data -k "$dir" -c "port=$3" ${encrypted:--c listen_addresses=} -c max_connections=400 -c shared_buffers=64MB -c fsync=off \
    </dev/null >>log 2>&1 &
server=$!

until "$bin/pg_isready" --quiet --host="$dir" --port="$3"; do
    kill -0 "$server" 2>/dev/null || { cat log >&2; exit 1; }
    sleep 0.05
done
echo "$dir"
cat >/dev/null
