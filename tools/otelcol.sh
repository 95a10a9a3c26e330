#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The OpenTelemetry collector of `./abacus up --observe` and of the tests, built from Go modules
# (tools/otelcol) into the cache.
#
#   tools/otelcol.sh build         builds it unless it is there: some minutes, once
#   tools/otelcol.sh path          says where it is, or will be
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

case ${1:-} in
build | path) go_program "$1" "$root/tools/otelcol" abacus-otelcol ;;
*) usage_error "tools/otelcol.sh build | path" ;;
esac
