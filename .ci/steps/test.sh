# shellcheck shell=bash

step_test() { cargo test --locked; }
