# shellcheck shell=bash

step_story() { cargo run --locked --quiet --example story; }
