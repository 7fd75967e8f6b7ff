# shellcheck shell=bash

# That the benchmarks can be built. A figure is taken by hand, from a release build on a quiet machine.
step_bench() { cargo bench --locked --no-run --profile dev; }
