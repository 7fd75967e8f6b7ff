# shellcheck shell=bash

# The contract must still serve those who were built on the last release.
check_breaking() {
    local tag released=$SCRATCH/released
    if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
        git fetch --quiet --depth=1 origin 'refs/tags/v*:refs/tags/v*' ||
            echo "buf breaking: this clone is shallow, and its tags could not be fetched"
    fi
    # A pre-release such as v1.0.0-rc.1 comes before v1.0.0.
    tag=$(git -c versionsort.suffix=- tag --list 'v*' --sort=version:refname | tail -n 1)
    if [ -z "$tag" ]; then
        echo "buf breaking: no release yet: nothing to compare with"
        return
    fi
    # Not `.git#tag=`: what is needed of the tag is there in a shallow clone and in a work tree of its own, too.
    mkdir -p "$released"
    git archive "$tag" buf.yaml proto | tar -x -C "$released"
    "$BUF" breaking --against "$released"
    echo "buf breaking: nothing breaks the contract of $tag"
}

check_shell() {
    python_tools
    find .ci tests -name '*.sh' -exec "$TOOLS/venv/bin/shellcheck" --external-sources .ci/run {} +
}

step_lint() {
    "$BUF" lint
    check_breaking
    check_shell
    cargo clippy --locked --all-targets -- -D warnings
    # Links to what is not public are for the next developer, who reads the documentation of everything.
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --lib
}
