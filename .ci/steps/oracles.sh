# shellcheck shell=bash

# The same oracles as among the tests, at length: so many commands on each database.
step_oracles() {
    ORACLE_COMMANDS=100000 cargo test --locked --test oracles rules::
    ORACLE_COMMANDS=20000 cargo test --locked --test oracles naive_oracle::
}
