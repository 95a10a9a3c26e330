#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does a deployment work? Waits until it is ready, adds, and compares both ends. Other callers may
# go on meanwhile: what they add is checked with it.
set -euo pipefail

usage() {
    cat <<'END_OF_USAGE'
Usage: smoke.sh [OPTION]...
Waits until adder and totals are ready, adds, and checks that every sum is there exactly once.
Exit code 0: it is; 1: wrong, lost or counted twice; 2: could not tell.

  --adder HOST:PORT      where adds go                       [127.0.0.1:50051]
  --adder-admin URL      each adder's admin address; may be repeated
                                                             [http://127.0.0.1:9464]
  --totals URL           the REST service                    [http://127.0.0.1:8080]
  --adds N               how many                            [1000]
  --wait-s S             for each: ready, the adds, their arrival
                                                             [120]
  --cli "COMMAND"        how to run abacus-cli, for instance in a container beside the services:
                         "docker run --rm --network abacus_default abacus-cli:dev"
                         [$ABACUS_CLI, else abacus-cli, else the one of ./abacus build]
  --rollback "COMMAND"   when it does not work: this is run, and the check repeated. Says what there
                         is then; the exit code stays that of the first check
END_OF_USAGE
}

adder=127.0.0.1:50051 admins=() totals=http://127.0.0.1:8080 adds=1000 wait_s=120
cli=${ABACUS_CLI:-} rollback=

say() { printf 'smoke: %s\n' "$*"; }
end() { # CODE TEXT
    printf 'smoke: %s\n' "$2" >&2
    exit "$1"
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help)
            usage
            exit 0
            ;;
        --adder | --adder-admin | --totals | --adds | --wait-s | --cli | --rollback) ;;
        *) end 2 "unknown option \"$1\" (smoke.sh --help)" ;;
        esac
        [ $# -ge 2 ] || end 2 "$1 needs a value (smoke.sh --help)"
        case $1 in
        --adder) adder=$2 ;;
        --adder-admin) admins+=(--adder-admin "$2") ;;
        --totals) totals=${2%/} ;;
        --adds) adds=$2 ;;
        --wait-s) wait_s=$2 ;;
        --cli) cli=$2 ;;
        --rollback) rollback=$2 ;;
        esac
        shift 2
    done
    [[ $adds =~ ^[1-9][0-9]{0,8}$ ]] || end 2 "--adds: \"$adds\" is no number from 1 on"
    [[ $wait_s =~ ^[1-9][0-9]{0,4}$ ]] || end 2 "--wait-s: \"$wait_s\" is no number from 1 on"
    [ ${#admins[@]} -gt 0 ] || admins=(--adder-admin http://127.0.0.1:9464)
}

find_cli() {
    local built
    built=$(dirname "$(readlink -f "$0")")/../../build/src/cli/abacus-cli
    if [ -n "$cli" ]; then
        read -ra cli_words <<<"$cli"
    elif command -v abacus-cli >/dev/null; then
        cli_words=(abacus-cli)
    elif [ -x "$built" ]; then
        cli_words=("$built")
    else
        end 2 "no abacus-cli here: run ./abacus build, or name one with --cli"
    fi
    "${cli_words[@]}" --version >/dev/null || end 2 "\"${cli_words[*]}\" does not run: see --cli"
}

# The longest that a call may take: the waits in it, and something for its start.
run_cli() { timeout -k 5 $((wait_s + 30)) "${cli_words[@]}" "$@"; }

await() { # WHAT ADVICE PROBE-ARGUMENT...: asks again until it is healthy
    local what=$1 advice=$2 give_up=$((SECONDS + wait_s)) why
    shift 2
    until why=$(run_cli probe "$@" 2>&1); do
        [ "$SECONDS" -lt "$give_up" ] ||
            end 2 "$what is not ready after $wait_s s: ${why##*$'\n'}
smoke: $advice"
        sleep 0.5
    done
    say "$what is ready"
}

one_add() {
    local answer
    answer=$(run_cli add --adder "$adder" 2 3 2>&1) ||
        end 1 "2 + 3 was refused: $answer"
    [[ $answer == "2 + 3 = 5"* ]] || end 1 "2 + 3 was answered by: $answer"
    say "$answer"
}

# Slowly enough that a small machine keeps up, and repeated by id when an answer does not come.
many_adds() {
    local text code=0
    text=$(run_cli load --adder "$adder" --no-verify --request-ids --count "$adds" --rate 1000 \
        --duration-s "$wait_s" 2>&1) || code=$?
    [ "$code" -eq 0 ] || end "$code" "of $adds adds some failed:
$text"
    say "$adds adds acknowledged"
}

both_ends() {
    local code=0
    run_cli check "${admins[@]}" --totals "$totals" --wait-s "$wait_s" || code=$?
    case $code in
    0) say "ok: every sum is there exactly once" ;;
    1) end 1 "sums are lost or counted twice: keep the volumes, see docs/operating.md" ;;
    *) end 2 "could not tell: is Kafka reachable from both services? Their logs say why not" ;;
    esac
}

check() {
    await "adder $adder" "its log says why; it needs a volume that it can write" --grpc "$adder"
    await "totals $totals" "its log says why; it needs a volume that it can write" \
        --http "$totals/v1/total"
    one_add
    many_adds
    both_ends
}

# Each check in a shell of its own, which it ends with its code.
check_or_go_back() {
    local code=0
    (check) || code=$?
    [ "$code" -ne 0 ] || return 0
    say "going back: $rollback"
    bash -c "$rollback" || end "$code" "that failed too: what runs now does not work"
    (check) || end "$code" "went back, but what ran before does not work either"
    end "$code" "went back: what ran before runs again, and is checked"
}

read_options "$@"
find_cli
if [ -n "$rollback" ]; then check_or_go_back; else check; fi
