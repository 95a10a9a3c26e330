# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus k6`: one of load/*.js against a system that is started for it, or one that runs. Both
# services are watched meanwhile, and in the end `check` looks whether every sum is there once.
# shellcheck disable=SC2154 # state, pids and the addresses are system.sh's
# shellcheck source=tools/system.sh
source "$(dirname "${BASH_SOURCE[0]}")/system.sh"

declare -A k6_options=()
k6_settings=() # -e NAME=VALUE, for the script

k6_scripts() { # "NAME  what it does", from the second line of each script
    local file
    for file in "$root"/load/*.js; do
        printf '  %-12s %s\n' "$(basename "$file" .js)" "$(sed -n '2s,^// ,,p' "$file")"
    done
}

k6_help() {
    cat <<END
./abacus k6 NAME [OPTION]...
Load by k6, with both services watched meanwhile and every sum checked in the end. NAME is one of

$(k6_scripts)

  --users N               at once (knee, spike, chaos: at most; smoke has one); each script has
                          its usual number
  --duration D            30s, 2m, 1h30m
  --set NAME=VALUE        more for the script: load/lib/settings.js lists what there is
  --out FOLDER            where the results go [.run/load/NAME]
  --kafka embedded|local  the system that is started has a broker in memory, or a real Kafka
  --observe               a collector and a Prometheus watch it; Prometheus gets k6's figures too
A system that runs, instead of one that is started (what is not said is as ./abacus up has it):
  --adder HOST:PORT  --adder-admin URL  --totals URL  --totals-admin URL
  --prometheus URL        gets k6's figures; must run with --web.enable-remote-write-receiver
chaos kills only what is started here; a system that runs is yours to hurt.
K6=PROGRAM in the environment: that k6, instead of the one that is built.

Results: report.html, report.md, summary.md, summary.json, watch.json, k6.log.
Exit code 0: all well; 1: a threshold is broken, a sum is lost or doubled; 2: usage, or unknown.
END
}

# --- usage ---
k6_parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --observe) k6_options[observe]=yes ;;
        --users | --duration | --out | --kafka | --adder | --adder-admin | --totals | \
            --totals-admin | --prometheus)
            [ $# -ge 2 ] || usage_error "k6: $1 needs a value"
            k6_options[${1#--}]=$2
            shift
            ;;
        --set)
            [[ ${2:-} == [A-Z]*=* ]] || usage_error "k6: --set NAME=VALUE"
            k6_settings+=(-e "$2")
            shift
            ;;
        *) usage_error "k6: unknown option \"$1\"" ;;
        esac
        shift
    done
    [[ ${k6_options[users]:-1} =~ ^[1-9][0-9]*$ ]] || usage_error "k6: --users N, 1 or more"
    [[ ${k6_options[duration]:-1s} =~ ^([0-9.]+(ms|s|m|h))+$ ]] ||
        usage_error "k6: --duration 90s, 2m, 1h30m"
    if k6_runs_elsewhere && [ -n "${k6_options[observe]:-}${k6_options[kafka]:-}" ]; then
        usage_error "k6: --observe and --kafka are for a system that is started here"
    fi
}

k6_runs_elsewhere() {
    [ -n "${k6_options[adder]:-}${k6_options[adder-admin]:-}" ] ||
        [ -n "${k6_options[totals]:-}${k6_options[totals-admin]:-}" ]
}

# Only what a run leaves there, since the folder may be anyone's.
k6_clear() {
    mkdir -p "$1"
    rm -rf "$1"/{report.html,report.md,summary.md,summary.json,watch.json,k6.log,command,system}
}

# --- the system ---
k6_system() {
    if k6_runs_elsewhere; then
        adder=${k6_options[adder]:-127.0.0.1:50051}
        adder_admin=${k6_options[adder-admin]:-http://127.0.0.1:9464}
        totals=${k6_options[totals]:-http://127.0.0.1:8080}
        totals_admin=${k6_options[totals-admin]:-127.0.0.1:9465}
        totals_admin=${totals_admin#http://}
        return 0
    fi
    state=$folder/system
    mkdir -p "$state"
    if [ -n "${k6_options[observe]:-}" ]; then observe_prepare; fi
    up_broker "${k6_options[kafka]:-embedded}"
    if [ -n "${k6_options[observe]:-}" ]; then observe_start; fi
    # A killed totals is let into its group again only when its former life counts as dead.
    totals_options+=(--kafka-property session.timeout.ms=6000)
    start_services 0 0 0 0
    if [ -n "${k6_options[observe]:-}" ]; then observe_targets; fi
}

# --- the run ---
k6_program() { # prints its path
    if [ -z "${K6:-}" ]; then
        need "$needs_k6" >&2
        go_program build "$root/tools/k6" k6 >&2
        K6=$(go_program path "$root/tools/k6" k6)
    fi
    echo "$K6"
}

k6_run() { # NAME: in the background, as pids[k6]; its summary is on the terminal
    local url=${k6_options[prometheus]:-$prometheus_url} outputs=(--out web-dashboard)
    [ -z "$url" ] || outputs+=(--out experimental-prometheus-rw --tag "testid=$1")
    ABACUS_GRPC=$adder ABACUS_REST=$totals ABACUS_ADDER_ADMIN=$adder_admin \
        ABACUS_TOTALS_ADMIN=http://$totals_admin OUT=$folder \
        USERS=${k6_options[users]:-} DURATION=${k6_options[duration]:-} \
        K6_WEB_DASHBOARD_PORT=-1 K6_WEB_DASHBOARD_PERIOD=1s \
        K6_WEB_DASHBOARD_EXPORT=$folder/report.html \
        K6_PROMETHEUS_RW_SERVER_URL=$url/api/v1/write K6_PROMETHEUS_RW_PUSH_INTERVAL=1s \
        K6_PROMETHEUS_RW_TREND_STATS='p(50),p(95),p(99)' K6_NO_USAGE_REPORT=true \
        setsid "$program" run --quiet --no-color "${outputs[@]}" "${k6_settings[@]}" \
        "$root/load/$1.js" </dev/null 2>"$folder/k6.log" &
    pids[k6]=$!
}

k6_watch() {
    local name processes=()
    for name in broker k6; do
        [ -z "${pids[$name]:-}" ] || processes+=(--process "$name=${pids[$name]}")
    done
    setsid python3 "$root/tools/k6_watch.py" watch --adder-admin "$adder_admin" \
        --totals-admin "http://$totals_admin" "${processes[@]}" "$folder/watch.json" &
    pids[watch]=$!
    wait_until 30 "tools/k6_watch.py to begin" test -e "$folder/watch.json" # it may be told to end
}

# --- chaos: who dies, one after another, as long as k6 runs ---
k6_kill_every_s=3
k6_too_short=

k6_start_again() { # NAME: where it was, on what it has
    case $1 in
    adder) start_adder "${adder##*:}" "${adder_admin##*:}" ;;
    totals) start_totals "${totals##*:}" "${totals_admin##*:}" ;;
    broker)
        start broker "$root/tools/kafka.sh" run "$state/kafka" "${kafka_address##*:}"
        await broker 60 "$root/tools/kafka.sh" answers "${kafka_address##*:}"
        ;;
    esac
}

k6_kill_in_turn() {
    local victims=(adder totals) name
    [ "${k6_options[kafka]:-embedded}" = embedded ] || victims+=(broker) # one in memory forgets
    while sleep "$k6_kill_every_s" && alive "${pids[k6]}"; do
        name=${victims[turn++ % ${#victims[@]}]}
        kill -KILL "${pids[$name]}"
        wait "${pids[$name]}" 2>/dev/null || true # else bash says so
        say "  $name is killed"
        k6_start_again "$name"
    done
}

k6_chaos() {
    local turn=0
    if k6_runs_elsewhere; then
        say "  nothing is killed: this system was not started here"
        return 0
    fi
    k6_kill_in_turn
    [ "$turn" -gt 0 ] || k6_too_short=yes
}

# A thousand users complain a thousand times.
k6_complaints() {
    local lines shown=10
    lines=$(wc -l <"$folder/k6.log")
    head -n "$shown" "$folder/k6.log"
    [ "$lines" -le "$shown" ] || say "  ($lines such lines are in $folder/k6.log)"
}

# What k6's exit code means: 99, a threshold is broken; any other, the script could not run.
k6_wait() {
    local code=0
    wait "${pids[k6]}" || code=$?
    unset "pids[k6]"
    stop watch 10
    k6_complaints
    case $code in
    0) verdict=0 ;;
    99) verdict=1 ;;
    *)
        say "k6 ended with exit code $code"
        verdict=2
        ;;
    esac
    if [ -n "$k6_too_short" ] && [ "$verdict" -eq 0 ]; then
        say "nobody was killed: --duration must be over $k6_kill_every_s s"
        verdict=2
    fi
}

k6_check() {
    local code=0 wait_s=30
    [ "$verdict" -eq 0 ] || wait_s=5 # what broke may be broken for good
    title "Is every sum there exactly once?"
    check --wait-s "$wait_s" || code=$?
    [ "$code" -eq 0 ] || [ "$verdict" -eq 1 ] || verdict=$code
}

k6_stop() {
    stop k6 20
    stop watch 10
    stop_all
}

load_test() {
    local command_line="$*" name=${1:-help} folder program verdict=2
    case $name in
    help | --help | -h | list) k6_help && return ;;
    esac
    [ -f "$root/load/$name.js" ] || usage_error "k6: no script \"$name\": ./abacus k6 list"
    shift
    k6_parse "$@"
    build_all
    program=$(k6_program)
    folder=$(realpath -m "${k6_options[out]:-$(ensure_run)/load/$name}")
    k6_clear "$folder"
    say "./abacus k6 $command_line" >"$folder/command"
    trap k6_stop EXIT
    k6_system
    title "k6 $name: adder $adder, totals $totals"
    k6_run "$name"
    k6_watch
    if [ "$name" = chaos ]; then k6_chaos; fi
    k6_wait
    k6_check
    title "Users and services"
    python3 "$root/tools/k6_watch.py" report "$folder" || [ "$verdict" -eq 1 ] || verdict=2
    say "${dim}all of it: ${folder#"$PWD/"}$plain"
    return "$verdict"
}
