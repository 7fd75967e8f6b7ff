# shellcheck shell=bash disable=SC2164 # .ci/run has set -e

# The example clients: types, format, tests against the server that was built, and the story on each client's page.
step_clients() {
    cargo build --locked
    python_client
    typescript_client
}

python_client() {
    local venv=$TOOLS/python
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement examples/python/requirements-dev.txt
    local -x PYTHONDONTWRITEBYTECODE=1 PATH=$venv/bin:$PATH
    (
        cd examples/python
        python generate.py
        ruff check --no-cache
        ruff format --no-cache --check
        mypy --cache-dir "$TOOLS/mypy"
        pytest -p no:cacheprovider --basetemp "$SCRATCH/pytest"
    )
    run_story_page examples/python/README.md
}

typescript_client() {
    (
        cd examples/typescript
        # `npm ci` begins with an empty folder each time, so it runs only if something else is to be installed.
        if ! cmp --silent package-lock.json node_modules/installed-lock.json; then
            npm ci --no-audit --no-fund --loglevel=error
            cp package-lock.json node_modules/installed-lock.json
        fi
        npm run --silent generate
        npm run --silent check
        npm run --silent build
        TMPDIR=$SCRATCH npm run --silent test
    )
    run_story_page examples/typescript/README.md
}

# The page's server has an empty database, so the story begins at the first event, and keeps no position.
run_story_page() {
    rm -f positions.json
    .ci/pages.py "$1"
    rm -f positions.json
}
