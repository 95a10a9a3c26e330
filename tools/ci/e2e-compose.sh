#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that compose promises, on containers of its own that are removed at the end: it comes
# up and adds; each container may be killed under load, all may be stopped and started, and nothing
# is lost or counted twice; a bad image goes back by itself. Options are those of `compose up`.
# Ports: as deploy/compose/compose.yaml says.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../lib.sh"

export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-abacus-e2e}
logs=$run/e2e
mkdir -p "$logs"

compose() { "$root/abacus" compose "$@"; }

# Always: the logs are kept, the containers are not.
finish() {
    local code=$?
    compose logs --no-color --timestamps >"$logs/compose.log" 2>&1 || true
    compose down --volumes >"$logs/down.log" 2>&1 || tail -n 20 "$logs/down.log"
    if [ "$code" -eq 0 ]; then
        title "${green}compose keeps its promises$plain"
    else
        say "compose: failed; logs of all containers: $logs/compose.log"
    fi
}

# Adds go on while it is killed. Some of them may fail; none may be lost or counted twice.
survives_kill() { # SERVICE
    local load
    title "kill -9 of $1 under load"
    compose cli load --no-verify --request-ids --rate 200 --duration-s 20 \
        >"$logs/load-$1.log" 2>&1 &
    load=$!
    wait_until 60 "the first adds" has_grown "$(count)"
    compose kill "$1"
    compose up --no-build >"$logs/up-$1.log"
    wait "$load" || say "${dim}some adds failed, as they may: $logs/load-$1.log$plain"
    compose smoke
}

# Nothing when it cannot be told.
count() {
    compose cli total --output json 2>"$logs/count.log" |
        sed -n 's/.*"count": *"\([0-9]*\)".*/\1/p' || true
}
has_grown() { # COUNT: the total has more
    local now
    now=$(count)
    [ -n "$now" ] && [ "$now" -gt "$1" ]
}

# The command line tool under the name of the services: it ends at once, again and again.
bad_image() {
    local program code=0
    title "A bad image"
    for program in adder totals cli; do
        docker tag "abacus-cli:${ABACUS_VERSION:-dev}" "abacus-$program:bad"
    done
    ABACUS_VERSION=bad compose up --no-build >"$logs/bad.log" 2>&1 || code=$?
    cat "$logs/bad.log"
    docker image rm abacus-adder:bad abacus-totals:bad abacus-cli:bad >/dev/null
    [ "$code" -eq 1 ] || fail "coming up with a bad image must end with exit code 1, not $code"
    grep -q "what passed the smoke check last runs again" "$logs/bad.log" ||
        fail "the bad image was not rolled back"
    compose smoke
}

trap finish EXIT
title "up"
compose up --check "$@"
for service in adder totals kafka; do survives_kill "$service"; done

title "down and up: what was counted is still there"
before=$(count)
compose down
compose up --no-build
wait_until 30 "the total" has_grown 0
after=$(count)
if [ -z "$before" ] || [ "$after" != "$before" ]; then
    cat "$logs/count.log"
    fail "there were ${before:-?} adds in the total before down and up, now there are ${after:-?}"
fi
compose smoke
bad_image
