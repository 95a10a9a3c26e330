#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# actionlint, which checks GitHub's workflows: built from its Go module into the cache.
#
#   tools/actionlint.sh build      builds it unless it is there: half a minute, once
#   tools/actionlint.sh path       says where it is, or will be
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

version=v1.7.12
program=$cache/bin/actionlint-$version

build_actionlint() {
    [ ! -x "$program" ] || return 0
    local folder log=$program.log
    check_go actionlint
    mkdir -p "$cache/bin"
    folder=$(mktemp -d -p "$cache/bin" actionlint-XXXXXX)
    GOBIN=$folder CGO_ENABLED=0 go install -trimpath \
        "github.com/rhysd/actionlint/cmd/actionlint@$version" >"$log" 2>&1 || {
        tail -n 20 "$log"
        rm -rf "$folder"
        fail "actionlint did not build (whole log: $log)"
    }
    mv "$folder/actionlint" "$program"
    rm -rf "$folder"
}

case ${1:-} in
build) build_actionlint ;;
path) say "$program" ;;
*) usage_error "tools/actionlint.sh build | path" ;;
esac
