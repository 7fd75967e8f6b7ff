# shellcheck shell=bash

# That a benchmark can be built; the other one is checked by the step `lint`. A figure is taken by hand, from a release build
# on a quiet machine.
step_bench() { cargo bench --locked --no-run --profile dev --bench completions; }
