#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Kubernetes must be able to do with Abacus: tests/cluster on a real one. `./abacus test
# cluster` does the same; this keeps what the cluster knows when a test fails.
#
#   tools/ci/e2e-kubernetes.sh [ARGUMENT]...    what ./abacus deploy takes [kind]
set -euo pipefail
# shellcheck source=tools/setup.sh
source "$(dirname "$0")/../setup.sh"

[ $# -gt 0 ] || set -- kind
case $1 in
kind) context='kind-abacus' ;;
*) context=$1 ;;
esac
logs=$run/e2e
mkdir -p "$logs"

kube() { kubectl --context "$context" --namespace abacus "$@"; }

finish() {
    local code=$?
    [ "$code" -ne 0 ] || { title "${green}Kubernetes keeps its promises$plain" && return; }
    kube get pods,statefulsets,jobs,events --output wide >"$logs/objects.txt" 2>&1 || true
    kube logs --selector app.kubernetes.io/part-of=abacus --prefix --tail 200 \
        >"$logs/pods.log" 2>&1 || true
    say "kubernetes: failed; objects and logs: $logs"
}

trap finish EXIT
need "
command python3       python3"
need_python
ABACUS_CLUSTER="$*" "$python" -m pytest -c "$root/tests/system/pytest.ini" -rs --tb=short \
    "$root/tests/cluster"
