# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Starts and stops the whole system: a broker, an adder, a totals. Used by `demo` and `up`.
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source=tools/observe.sh
source "$(dirname "${BASH_SOURCE[0]}")/observe.sh"

state=         # the folder of this system: databases, logs
kafka_address= # set by the start of a broker
totals_options=()
declare -A pids=()

ensure_run() {
    mkdir -p "$run"
    printf '%s' "$run"
}

# start NAME COMMAND...: in the background, in a session of its own so that Ctrl-C reaches only this
# script, which then stops all in order. Its output goes to NAME.log.
start() {
    local name=$1
    shift
    setsid "$@" >"$state/$name.log" 2>&1 </dev/null &
    pids[$name]=$!
}

stop() { # NAME SECONDS
    [ -n "${pids[$1]:-}" ] || return 0
    stop_pid "${pids[$1]}" "$2" || true
    unset "pids[$1]"
}

stop_all() {
    stop adder 20
    stop totals 20
    stop broker 20
    observe_stop
}

# await NAME SECONDS COMMAND...: until the command succeeds; a process that ended is the reason.
await() {
    local name=$1 give_up=$(($(now_ms) + $2 * 1000))
    shift 2
    until "$@"; do
        if ! alive "${pids[$name]}" || [ "$(now_ms)" -gt "$give_up" ]; then
            tail -n 3 "$state/$name.log" | sed 's/.*"message":"\(.*\)"}$/  \1/' >&2
            fail "$name does not start (whole log: $state/$name.log)"
        fi
        sleep 0.02
    done
}

# address_of NAME WORD: from the line that says on what the process listens.
address_of() {
    sed -n "s/.*listening:.*\b$2 \([0-9.]*:[0-9]*\).*/\1/p" "$state/$1.log" | head -n 1
}
listens() { [ -n "$(address_of "$1" "$2")" ]; }
broker_address() { grep -m 1 -o '^[0-9.]*:[0-9]*$' "$state/broker.log"; }

start_embedded_kafka() {
    start broker "$build/src/cli/abacus-cli" broker
    await broker 10 broker_address >/dev/null
    kafka_address=$(broker_address)
    # The mock lets a fetch that finds nothing wait its whole time, even when something comes.
    totals_options=(--kafka-property fetch.wait.max.ms=2)
}

start_local_kafka() {
    local port
    port=$(free_port)
    mkdir -p "$state"
    start broker "$root/tools/kafka.sh" run "$state/kafka" "$port"
    await broker 60 "$root/tools/kafka.sh" answers "$port"
    kafka_address=127.0.0.1:$port
}

reads_kafka() { grep -q 'rebalance: got' "$state/totals.log"; }

# start_services GRPC_PORT ADDER_ADMIN_PORT HTTP_PORT TOTALS_ADMIN_PORT
# Totals comes first and finds its place in Kafka before anything new is there: a broker that has
# forgotten its events begins to count offsets anew, and a place kept from its former life must not
# be taken for one in the new.
start_services() {
    start_totals "$3" "$4"
    start_adder "$1" "$2"
}

start_totals() { # HTTP_PORT ADMIN_PORT
    start totals "$build/src/totals/abacus-totals" --http-port "$1" --admin-port "$2" \
        --ledger "$state/ledger.db" --kafka-bootstrap-servers "$kafka_address" \
        "${totals_options[@]}"
    await totals 10 listens totals http
    await totals 30 reads_kafka
    totals=http://$(address_of totals http) totals_admin=$(address_of totals admin)
}

start_adder() { # GRPC_PORT ADMIN_PORT
    start adder "$build/src/adder/abacus-adder" --grpc-port "$1" --admin-port "$2" \
        --outbox "$state/outbox.db" --kafka-bootstrap-servers "$kafka_address"
    await adder 10 listens adder grpc
    adder=$(address_of adder grpc) adder_admin=http://$(address_of adder admin)
}

cli() { "$build/src/cli/abacus-cli" "$@"; }
check() { cli check --adder-admin "$adder_admin" --totals "$totals" "$@"; }

embedded_note="(in memory, 5 MiB a partition: for trying out; see --kafka)"

# --- demo ---
expected=0
demo_add() {
    answer=$(cli add --adder "$adder" "$1" "$2")
    say "  $answer"
    expected=$((expected + $1 + $2))
}

total_is() { # SUM COUNT
    cli total --totals "$totals" --output json | grep -q "\"total\":\"$1\",\"count\":\"$2\""
}

journey() { # ANSWER OF add: "… (source UUID, sequence N)"
    local words=${1##*\(source } source sequence
    source=${words%%,*} sequence=${words##*sequence } sequence=${sequence%\)}
    cli journey --source "$source" --sequence "$sequence" --totals "$totals" \
        --kafka-bootstrap-servers "$kafka_address"
}

demo() {
    [ $# -eq 0 ] || usage_error "demo takes no arguments"
    build_all
    state=$(mktemp -d -p "$(ensure_run)" demo-XXXXXX)
    trap stop_all EXIT

    title "Starting broker, adder and totals in ${state#"$PWD/"}"
    start_embedded_kafka
    say "  broker  $kafka_address $embedded_note"
    start_services 0 0 0 0
    say "  adder   $adder (gRPC)"
    say "  totals  $totals (REST)"

    title "Adding over gRPC: each answer comes when the sum is durable"
    demo_add 2 3
    demo_add 40 2
    demo_add -7 -3
    demo_add 0 0
    demo_add 1000000007 998244353
    wait_until 20 "the total $expected of 5 adds" total_is "$expected" 5 || exit 1

    title "The last one on its way: what Kafka holds, and what the ledger made of it"
    journey "$answer"

    title "The total, after outbox, relay, Kafka and ledger"
    cli total --totals "$totals"

    title "Ten thousand more, 64 calls in flight"
    cli load --adder "$adder" --adder-admin "$adder_admin" --totals "$totals" \
        --connections 4 --in-flight 16 --count 10000

    title "Is every sum there exactly once?"
    check
    stop_all
    rm -rf "$state"
    title "${green}It is. Next: ./abacus up"
}

# --- up ---
up() {
    local kafka=embedded observing=
    while [ $# -gt 0 ]; do
        case $1 in
        --kafka)
            [ $# -ge 2 ] || usage_error "up: --kafka embedded|local|HOST:PORT"
            kafka=$2
            shift
            ;;
        --observe) observing=yes ;;
        *) usage_error "up: unknown option \"$1\"" ;;
        esac
        shift
    done
    build_all
    [ -z "$observing" ] || observe_prepare
    state=$(ensure_run)/up-${kafka//[^[:alnum:]]/-} # each Kafka has its own history
    mkdir -p "$state"
    trap stop_all EXIT
    up_broker "$kafka"
    [ -z "$observing" ] || observe_start
    say "Starting: totals joins its group, adder opens its outbox …"
    start_services 50051 9464 8080 9465
    [ -z "$observing" ] || observe_targets
    up_say "$kafka" "$observing"
    trap 'true' INT TERM
    wait -n "${pids[@]}" || true
    trap '' INT TERM
    up_stop "$kafka"
}

up_broker() {
    case $1 in
    embedded) start_embedded_kafka ;;
    local)
        need "$needs_kafka"
        "$root/tools/kafka.sh" jars
        start_local_kafka
        ;;
    *:*) kafka_address=$1 ;;
    *) usage_error "--kafka: \"$1\" is none of embedded, local, HOST:PORT" ;;
    esac
}

up_say() {
    local note=
    [ "$1" != embedded ] || note=" $embedded_note"
    title "Up; state and logs are in ${state#"$PWD/"}"
    cat <<END
  broker  $kafka_address$note
  adder   $adder (gRPC)    $adder_admin (/healthz /readyz /source)
  totals  $totals (REST: /v1/total /v1/sources /v1/partitions /v1/total/stream /openapi.json)
END
    [ -z "$2" ] || observe_say
    cat <<END

Try, in another terminal: ./abacus add 2 3; ./abacus total; ./abacus load; ./abacus check
Ctrl-C stops it.
END
}

# First nobody may add any more and all must have gone through, since the embedded broker forgets.
up_stop() {
    local name
    for name in "${!pids[@]}"; do
        alive "${pids[$name]}" || say "$name has ended by itself: see $state/$name.log"
    done
    title "Stopping"
    if [ "$1" = embedded ] && ! check --wait-s 10 >"$state/check.log" 2>&1; then
        say "Not every sum had arrived when the embedded broker was stopped, which forgets them:"
        cat "$state/check.log"
    fi
    stop_all
}
