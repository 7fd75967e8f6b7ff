# shellcheck shell=sh
# Runs a PostgreSQL primary and a synchronous standby of it, and does what it is told by lines on its
# standard input, until that is closed: "kill" ends the primary at once, "promote" makes the standby the
# primary. Each is answered by a line.
#
# $1: the directory of PostgreSQL's programs.
set -eu
trap '' HUP INT TERM

bin=$1
as=
dir=$(mktemp -d "${TMPDIR:-/tmp}/purchase-orders-pair.XXXXXX")

stop() {
    for one in first second; do
        if [ -f "$dir/$one/data/postmaster.pid" ]; then
            kill -QUIT "$(head -n 1 "$dir/$one/data/postmaster.pid")" 2>/dev/null || :
        fi
    done
    wait
    rm -rf "$dir"
}
trap stop EXIT

mkdir "$dir/first" "$dir/second"
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id -u "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir" "$dir/first" "$dir/second"
    if command -v setpriv >/dev/null; then
        as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
    else
        as="runuser -u $user --"
    fi
fi
cd "$dir"

# A server in its directory, with further settings.
serve() {
    one=$1
    shift
    $as "$bin/postgres" -D "$one/data" -k "$dir/$one" -c listen_addresses= -c fsync=off "$@" </dev/null >>log 2>&1 &
    until "$bin/pg_isready" --quiet --host="$dir/$one"; do
        kill -0 $! 2>/dev/null || { cat log >&2; exit 1; }
        sleep 0.05
    done
}

$as "$bin/initdb" --pgdata=first/data --auth=trust --username=tester --encoding=UTF8 --locale=C --no-sync >log 2>&1 ||
    { cat log >&2; exit 1; }
# Nothing is acknowledged before the standby has it, so that a failover loses nothing.
serve first -c synchronous_standby_names='*' -c synchronous_commit=local
$as "$bin/pg_basebackup" --pgdata=second/data --host="$dir/first" --username=tester --write-recovery-conf \
    --checkpoint=fast >>log 2>&1 || { cat log >&2; exit 1; }
serve second
echo "$dir"

while read -r command; do
    case $command in
    kill) kill -QUIT "$(head -n 1 first/data/postmaster.pid)" ;;
    promote) $as "$bin/pg_ctl" promote --pgdata=second/data --wait >>log 2>&1 ;;
    esac
    echo 'done'
done
