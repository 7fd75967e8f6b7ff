# shellcheck shell=bash

# Where the smoke's server says that it listens.
await_address() {
    local address
    for _ in $(seq 300); do
        address=$(sed -n 's/.*listens on \([^ ]*\).*/\1/p' "$SCRATCH/said")
        if [ -n "$address" ]; then
            echo "$address"
            return
        fi
        kill -0 "$SERVER" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server does not listen" >&2
    return 1
}

# The README's first command, on a free port and a database of its own.
step_smoke() {
    cargo build --locked
    local database=sqlite:$SCRATCH/smoke.sqlite address
    cargo run --locked --quiet -- --listen 127.0.0.1:0 --database-url "$database" \
        >"$SCRATCH/said" 2>"$SCRATCH/logged" &
    SERVER=$!
    address=$(await_address) || { cat "$SCRATCH/said" "$SCRATCH/logged"; return 1; }
    "$BUF" curl --protocol grpc --http2-prior-knowledge -H 'x-principal: alice' -d '{"store_id": "demo"}' \
        "http://$address/purchasing.v1.StoreService/GetStore"
    stop_server || { echo "the server did not end well: $?"; cat "$SCRATCH/logged"; return 1; }
    cargo run --locked --quiet -- verify --database-url "$database"
}
