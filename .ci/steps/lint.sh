# shellcheck shell=bash

# What the last release shipped is kept: its clients must still be served, and the databases that it has migrated must be
# those to which later migrations are applied.
check_released() {
    local tag migration migrations released=$SCRATCH/released
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
        git fetch --quiet --depth=1 origin 'refs/tags/v*:refs/tags/v*' ||
            echo "released: this clone is shallow, and its tags could not be fetched"
    fi
    # A pre-release such as v1.0.0-rc.1 comes before v1.0.0.
    tag=$(git -c versionsort.suffix=- tag --list 'v*' --sort=version:refname | tail -n 1)
    if [ -z "$tag" ]; then
        echo "released: no release yet: nothing to compare with"
        return
    fi
    # Not `.git#tag=`: what is needed of the tag is there in a shallow clone and in a work tree of its own, too.
    mkdir -p "$released"
    git archive "$tag" buf.yaml proto migrations | tar -x -C "$released"
    "$BUF" breaking --against "$released"
    migrations=$(cd "$released" && find migrations -type f)
    while IFS= read -r migration; do
        cmp "$released/$migration" "$migration"
    done <<<"$migrations"
    echo "released: nothing breaks the contract of $tag, and its migrations are unchanged"
}

check_shell() {
    python_tools
    find .ci tests -name '*.sh' -exec "$TOOLS/venv/bin/shellcheck" --external-sources .ci/run {} +
}

step_lint() {
    "$BUF" lint
    check_released
    check_shell
    cargo clippy --locked --all-targets -- -D warnings
    # Links to what is not public are for the next developer, who reads the documentation of everything.
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --lib
}
