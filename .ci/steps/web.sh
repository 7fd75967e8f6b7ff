# shellcheck shell=bash disable=SC2164 # .ci/run has set -e

# The web page of examples/web in a browser against the service, from a copy, so that nothing is installed in the sources.
step_web() {
    local copy=$TOOLS/web
    if ! [ -x /usr/bin/chromium ]; then
        apt-get update -qq
        install chromium fonts-dejavu-core
    fi
    cargo build --locked
    mkdir -p "$copy/examples"
    rm -rf "$copy/proto" "$copy/examples/web/"{src,test,sample,public}
    cp -r proto "$copy/"
    cp -r examples/web "$copy/examples/"
    (
        export PURCHASE_ORDER_SERVICE=$PWD/target/debug/purchase-order-service
        cd "$copy/examples/web"
        npm ci --no-audit --no-fund --loglevel=error
        npm run --silent check
        npm test --silent
    )
    # Cargo finds the project from within the copy, too.
    .ci/pages.py --folder "$copy" examples/web/README.md
}
