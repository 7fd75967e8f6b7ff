# shellcheck shell=bash

step_format() {
    cargo fmt --check
    "$BUF" format --diff --exit-code
}
