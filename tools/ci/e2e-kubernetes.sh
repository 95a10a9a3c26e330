#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Kubernetes must be able to do with Abacus: take it, restart it under load without one failed
# call, and go back by itself when a new image is bad.
#
#   tools/ci/e2e-kubernetes.sh [ARGUMENT]...    what ./abacus deploy takes [kind]
#
# $ABACUS_CONTEXT is what kubectl calls that cluster, $ABACUS_ADDER where the machine reaches the
# adder in it.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || set -- kind
context=${ABACUS_CONTEXT:-kind-abacus}
adder=${ABACUS_ADDER:-127.0.0.1:50051} # deploy/k8s/overlays/kind/kind.yaml says so
cli=$build/src/cli/abacus-cli
logs=$run/e2e
mkdir -p "$logs"

kube() { kubectl --context "$context" --namespace abacus "$@"; }

finish() {
    local code=$?
    [ "$code" -ne 0 ] || { title "${green}Kubernetes keeps its promises$plain" && return; }
    kube get pods,statefulsets,events --output wide >"$logs/objects.txt" 2>&1 || true
    kube logs --selector app.kubernetes.io/part-of=abacus --prefix --tail 200 \
        >"$logs/pods.log" 2>&1 || true
    say "kubernetes: failed; objects and logs: $logs"
}

images() { kube get statefulsets adder totals --output \
    'jsonpath={range .items[*]}{.spec.template.spec.containers[0].image}{"\n"}{end}'; }

# A client with request ids repeats what was UNAVAILABLE: not one add may fail.
rolling_restart() {
    local load
    title "Rolling restart under load"
    "$cli" load --adder "$adder" --no-verify --request-ids --rate 200 --duration-s 40 \
        >"$logs/load.log" 2>&1 &
    load=$!
    kube rollout restart statefulset/adder statefulset/totals
    kube rollout status statefulset/adder --timeout 180s
    kube rollout status statefulset/totals --timeout 180s
    wait "$load" || { cat "$logs/load.log" && fail "adds failed in a rolling restart"; }
    tail -n 5 "$logs/load.log"
}

# The command line tool under the name of the services: it ends at once, again and again.
bad_image() { # ARGUMENT of deploy...
    local before code=0
    title "A bad image"
    before=$(images)
    for program in adder totals cli; do docker tag abacus-cli:dev "abacus-$program:bad"; done
    "$root/abacus" deploy "$@" --tag bad --no-build >"$logs/bad.log" 2>&1 || code=$?
    cat "$logs/bad.log"
    [ "$code" -eq 1 ] || fail "deploying a bad image must end with exit code 1, not $code"
    grep -q "what ran before runs again, and is checked" "$logs/bad.log" ||
        fail "the bad image was not rolled back"
    [ "$(images)" = "$before" ] || fail "after the roll back other images are there: $(images)"
}

trap finish EXIT
[ -x "$cli" ] || "$root/abacus" build
"$root/abacus" deploy "$@"
rolling_restart
"$root/abacus" deploy "$@" --no-build # the same again: nothing to change, and checked
bad_image "$@"
