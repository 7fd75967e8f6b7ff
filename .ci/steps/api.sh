# shellcheck shell=bash

# The API reference as HTML pages, in target/api-reference.
step_api() {
    python_tools
    "$TOOLS/venv/bin/python" .ci/api_reference.py
}
