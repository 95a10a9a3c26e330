# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus test`: each suite is a step with one line of output, its time and, if it fails, the end
# of its log. Whole logs: .run/test/.
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# Suites in a lane run one after another, lanes beside each other: most tests wait more than they
# work. Within a lane, what fails fastest comes first.
test_lanes=("tidy deploy unit clang fuzz observe" "load asan tsan" "system interop crash")
# Only by name: these need a Docker engine, and a Kubernetes that ABACUS_CLUSTER names. The last
# line of `./abacus test` says so.
test_suites="${test_lanes[*]} containers cluster"

step() { # NAME WHAT COMMAND...
    local name=$1 what=$2 log=$run/test/$1.log started
    shift 2
    started=$(now_ms)
    if "$@" >"$log" 2>&1; then
        echo "$name" >>"$run/test/passed"
        printf '%sok%s    %-52s %6s s  %s\n' "$green" "$plain" "$what" \
            "$(seconds_since "$started")" "$(summary "$log")"
        skipped "$log"
    else
        echo "$name" >>"$run/test/failed"
        printf '%sFAIL%s  %-52s %6s s\n%s\n      whole log: %s\n' "$red" "$plain" "$what" \
            "$(seconds_since "$started")" "$(tail -n 60 "$log" | sed 's/^/      /')" "$log"
    fi
}

# The line of a log that says how many tests ran: meson's, pytest's, or the step's own last one.
summary() {
    local found
    found=$(sed -n -e 's/^Ok: *\([0-9]*\) *$/\1 programs/p' \
        -e 's/^=* *\([0-9]* passed.*[0-9]s\).*/\1/p' "$1" | tail -n 1)
    printf '%s' "${found:-$(tail -n 1 "$1" | cut -c 1-150)}"
}

# What pytest left out, and why: how many tests, a line for each reason.
skipped() {
    sed -n 's/^SKIPPED \(\[[0-9]*\]\) [^ ]*: /      left out \1: /p' "$1" | cut -c 1-200
}

# --- one function a suite ---
system_tests() { # with a second build whose programs die where a test says
    export ABACUS_FAULTS_BUILD=$root/build-faults
    build_folder "$ABACUS_FAULTS_BUILD" -Dfaults=true &&
        pytests "$build" "$root/tests/system" --ignore-glob='*/test_grpc_*.py' \
            --ignore-glob='*/test_observe_*.py'
}

unit_tests() { # FOLDER [MESON SETUP ARGUMENT]...: compiles the folder and runs its unit tests
    local folder=$1
    shift
    build_folder "$folder" --werror "$@" &&
        meson test -C "$folder" --suite unit --print-errorlogs --timeout-multiplier 4 \
            --num-processes 4 # most of them wait more than they work
}

pytests() { # BUILD ARGUMENT...: what each test left behind is beside its step's log
    local folder=$1
    shift
    ABACUS_BUILD=$folder "$python" -m pytest -c "$root/tests/system/pytest.ini" \
        --basetemp "${log%.log}" -rs "$@"
}

suite_tidy() {
    step tidy "layout, sizes, includes, formatting, shellcheck" \
        python3 "$root/tools/tidy.py" --build "$build"
}
suite_deploy() {
    step deploy "rules, runbooks, boards, workflows" \
        pytests "$build" "$root/tests/deploy"
}
suite_unit() {
    step unit "unit tests, gcc" unit_tests "$build"
}
suite_clang() {
    CC=clang step clang "unit tests, clang" unit_tests "$root/build-clang"
}
suite_asan() {
    step asan "unit tests under ASan and UBSan" unit_tests "$root/build-asan" \
        -Db_sanitize=address,undefined -Db_lundef=false
    step asan-system "system tests under ASan and UBSan" \
        pytests "$root/build-asan" -m sanitized "$root/tests/system"
}
suite_tsan() {
    step tsan "unit tests under TSan" unit_tests "$root/build-tsan" -Db_sanitize=thread \
        -Db_lundef=false
    step tsan-system "system tests under TSan" \
        pytests "$root/build-tsan" -m sanitized "$root/tests/system"
}
suite_fuzz() {
    step fuzz "every parser fuzzed for ${ABACUS_FUZZ_S:-3} s" \
        "$root/tests/fuzz/run.sh" "${ABACUS_FUZZ_S:-3}"
}
suite_system() {
    step system "real processes, real Kafka" system_tests
}
suite_interop() {
    step interop "official gRPC clients against our server" \
        pytests "$build" "$root"/tests/system/test_grpc_*.py
}
suite_observe() {
    step observe "real collector and Prometheus: every span, panel, alert" \
        pytests "$build" "$root"/tests/system/test_observe_*.py
}
suite_containers() {
    step containers "images and compose under a Docker engine" \
        pytests "$build" "$root/tests/containers"
}
suite_load() {
    step load "every k6 script, short; and with planted errors" load_tests
}
suite_cluster() {
    step cluster "ABACUS_CLUSTER: deployed to, killed, rolled back" \
        pytests "$build" "$root/tests/cluster"
}
suite_crash() {
    step crash "crash campaign, ${1:-60} rounds" crash_campaign --rounds "${1:-60}"
}

load_tests() {
    go_program build "$root/tools/k6" k6 && pytests "$build" "$root/tests/load"
}

crash_campaign() {
    ABACUS_BUILD=$build "$python" "$root/tests/system/crash.py" "$@"
}

run_lane() { # SUITE...
    local suite
    trap 'exit 130' INT TERM
    for suite in "$@"; do "suite_$suite"; done
}

# Each lane is a process group, so that Ctrl-C reaches all that it has started.
run_lanes() {
    local lane suites groups=()
    set -m
    trap 'kill -INT -- "${groups[@]/#/-}" 2>/dev/null; exit 130' INT TERM
    for lane in "${test_lanes[@]}"; do
        read -ra suites <<<"$lane"
        run_lane "${suites[@]}" </dev/null &
        groups+=($!)
    done
    wait
    trap - INT TERM
}

count_lines() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }

run_tests() {
    local suite started failed
    started=$(now_ms)
    for suite in "$@"; do
        [ "$1" = crash ] || [[ " $test_suites " == *" $suite "* ]] ||
            usage_error "test: no suite \"$suite\""
    done
    need "$needs_build$needs_test"
    need_fuzzer
    need_python
    "$root/tools/kafka.sh" jars
    "$root/tools/otelcol.sh" build
    build_all
    if [ "${1:-}" = crash ]; then # by itself it talks while it runs, and takes options
        shift
        crash_campaign "$@"
        return
    fi
    mkdir -p "$run/test"
    rm -f "$run/test/passed" "$run/test/failed"
    if [ $# -gt 0 ]; then run_lane "$@"; else run_lanes; fi
    say "${dim}in $(seconds_since "$started") s; logs in ${run#"$PWD/"}/test$plain"
    failed=$(count_lines "$run/test/failed")
    say "$(count_lines "$run/test/passed") passed, $failed failed"
    [ $# -gt 0 ] || say "${dim}not run, since only by name: containers (./abacus test containers;\
 Docker), cluster (ABACUS_CLUSTER=kind ./abacus test cluster)$plain"
    [ "$failed" -eq 0 ]
}
