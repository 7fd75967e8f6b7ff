# shellcheck shell=bash

# The command blocks of the documentation, as they stand there, except those marked as not run.
step_pages() {
    # docs/security.md works there, and begins without a store.
    rm -rf target/try
    .ci/pages.py README.md CONTRIBUTING.md docs/walkthrough.md docs/recipes.md docs/security.md docs/operations.md docs/deploy.md docs/clients.md \
        docs/configuration.md docs/reliability.md docs/performance.md
}
