#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The OpenTelemetry collector of `./abacus up --observe` and of the tests, built from Go modules
# (tools/otelcol) into the cache. A change of what it is made of builds another.
#
#   tools/otelcol.sh build         builds it unless it is there: some minutes, once
#   tools/otelcol.sh path          says where it is, or will be
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

parts=$root/tools/otelcol
program=$cache/bin/abacus-otelcol-$(cat "$parts"/*.go "$parts"/go.* | sha256sum | cut -c 1-12)

build_collector() {
    [ ! -x "$program" ] || return 0
    local started log=$program.log
    check_go "the collector"
    started=$(now_ms)
    mkdir -p "$cache/bin"
    say "Building the collector, once, some minutes: ${program/#"$HOME"/\~}"
    (cd "$parts" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$program.part" .) \
        >"$log" 2>&1 || {
        tail -n 20 "$log"
        fail "the collector did not build (whole log: $log)"
    }
    mv "$program.part" "$program"
    say "${dim}built in $(seconds_since "$started") s$plain"
}

case ${1:-} in
build) build_collector ;;
path) say "$program" ;;
*) usage_error "tools/otelcol.sh build | path" ;;
esac
