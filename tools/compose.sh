# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus compose`: Abacus in containers on this machine, by deploy/compose/compose.yaml.
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

compose_wait_s=420 # until all is healthy; pulling images comes before
compose_profiles=()
compose_project=${COMPOSE_PROJECT_NAME:-abacus}
compose_state=$run/compose/$compose_project
# What `back` goes back to: the settings of up.yaml, once a smoke check has passed with them.
compose_checked=$compose_state/checked.yaml

compose_help() {
    cat <<END
./abacus compose COMMAND
Abacus in containers on this machine: Kafka, adder, totals.

  up [OPTION]...      builds what is ours, starts, waits until all is healthy
      --observe       with collector, Prometheus, Grafana, Loki, Tempo
      --ui            with a page that shows what is in Kafka
      --no-build      images are there already
      --check         and then runs the smoke check
                      What fails goes back to what passed the smoke check last.
  smoke [OPTION]...   adds and checks: 0 all there once, 1 lost or doubled, 2 could not tell
                      (options: deploy/smoke/smoke.sh --help)
  back                images and settings as they were when the smoke check passed last
  cli COMMAND...      abacus-cli beside the services: cli add 2 3, cli total, cli check
  build               only builds the images
  run --rm k6         a load test, 1200 users; -e USERS=200 -e DURATION=20s before k6: another
  logs, ps, stop ...  as docker compose does
  down                stops and removes the containers; sums and everything else stay in volumes
      --volumes       removes the volumes too: outbox, ledger and Kafka's topics are gone then

Ports and more can be set in the environment: ABACUS_GRPC_PORT, ABACUS_HTTP_PORT … are all named in
deploy/compose/compose.yaml. Exit code 0: done; 1: not; 2: usage.
END
}

# --- the engine ---
compose_check_engine() {
    local why
    command -v docker >/dev/null ||
        fail "compose needs Docker: https://docs.docker.com/engine/install, or ./abacus up without"
    docker compose version >/dev/null 2>&1 ||
        fail "docker has no compose plugin (Debian: docker-compose-v2 or docker-compose-plugin)"
    why=$(docker version --format '{{.Server.Version}}' 2>&1) ||
        fail "no Docker engine answers: start it (systemctl start docker), or may you not use it
  (usermod -aG docker $(id -un), then log in again)? It says: ${why##*$'\n'}"
}

docker_compose() {
    docker compose --env-file "$root/deploy/versions.env" \
        -f "$root/deploy/compose/compose.yaml" "${compose_profiles[@]}" "$@"
}

# --- up ---
port_answers() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port_is_ours() {
    local ports
    ports=$(docker_compose ps --format '{{range .Publishers}}{{.PublishedPort}} {{end}}')
    [[ " ${ports//$'\n'/ } " == *" $1 "* ]]
}
port_is_usable() { ! port_answers "$1" || port_is_ours "$1"; }

# Before anything starts. A container that has just died gives its port back a moment later.
compose_check_ports() {
    local port variable
    for port in $(docker_compose config | sed -n 's/^ *published: "\([0-9]*\)"$/\1/p'); do
        wait_until 5 "port $port" port_is_usable "$port" 2>/dev/null && continue
        variable=$(sed -n "s/.*\(ABACUS_[A-Z_]*_PORT\):-$port}.*/\1/p" \
            "$root/deploy/compose/compose.yaml" | sort -u)
        fail "port $port of 127.0.0.1 is taken by another program (ss -ltnp says which);
  end that, or take another: ${variable:-the variable you set}=NUMBER ./abacus compose up"
    done
}

compose_up() {
    local build=yes check='' started
    while [ $# -gt 0 ]; do
        case $1 in
        --observe)
            compose_profiles+=(--profile observe)
            export OTEL_EXPORTER_OTLP_ENDPOINT=${OTEL_EXPORTER_OTLP_ENDPOINT:-http://collector:4318}
            ;;
        --ui) compose_profiles+=(--profile ui) ;;
        --no-build) build='' ;;
        --check) check=yes ;;
        *) usage_error "compose up: unknown option \"$1\"" ;;
        esac
        shift
    done
    compose_check_ports
    [ -z "$build" ] || compose_build
    started=$(now_ms)
    docker_compose up --detach --no-build --wait --wait-timeout "$compose_wait_s" ||
        compose_up_failed
    compose_write_settings
    compose_say "$(seconds_since "$started")"
    [ -z "$check" ] || compose_smoke --rollback "$(printf '%q' "$root/abacus") compose back"
}

# By the engine itself: compose asks for a newer builder than many machines have.
compose_build() {
    local name tag=${ABACUS_VERSION:-dev} prefix=${ABACUS_REGISTRY:+${ABACUS_REGISTRY:-}/}
    title "Building abacus-adder, abacus-totals, abacus-cli"
    for name in adder totals cli; do
        image_arguments "$name" "$tag"
        DOCKER_BUILDKIT=1 docker build --quiet "${image_arguments[@]}" \
            --tag "${prefix}abacus-$name:$tag" "$root" >/dev/null ||
            fail "the build failed"
    done
}

compose_up_failed() {
    compose_explain
    [ -e "$compose_checked" ] || fail "not all came up, and there is nothing to go back to: no smoke
  check has passed. What did come up still runs: ./abacus compose ps, ./abacus compose down"
    compose_back
    fail "not all came up; what passed the smoke check last runs again"
}

# The last words of what is not healthy. All the words in a file: who goes back, loses containers.
compose_explain() {
    local name log=$compose_state/failed.log
    mkdir -p "$compose_state"
    docker_compose logs --no-color --timestamps >"$log" 2>&1 || true
    for name in $(compose_unwell); do
        title "$name, the end of its log (all of it: $log)"
        docker_compose logs --no-log-prefix --tail 5 "$name"
        compose_explain_image "$name"
    done >&2
}

# The services that do not run, are not healthy, or have no health check but were started again.
compose_unwell() {
    local label='{{index .Config.Labels "com.docker.compose.service"}}' ids
    mapfile -t ids < <(docker_compose ps --all --quiet)
    docker inspect --format "$label {{.State.Status}} \
{{with .State.Health}}{{.Status}}{{end}} {{.RestartCount}}" "${ids[@]}" |
        grep -vE ' running (healthy [0-9]+| 0)$' | cut -d ' ' -f 1
}

compose_explain_image() { # NAME
    local made runs
    made=$(docker image inspect --format '{{.Architecture}}' "$(image_that_runs "$1")")
    runs=$(docker version --format '{{.Server.Arch}}')
    [ "$made" = "$runs" ] || say "Its image is for $made, but this engine runs $runs: build one here
(./abacus compose build), or name one that is for both (ABACUS_REGISTRY, ABACUS_VERSION)"
}

compose_say() { # SECONDS
    title "Up in $1 s"
    cat <<END
  kafka   127.0.0.1:${ABACUS_KAFKA_PORT:-9092}
  adder   127.0.0.1:${ABACUS_GRPC_PORT:-50051} (gRPC)
          http://127.0.0.1:${ABACUS_ADDER_ADMIN_PORT:-9464} (/metrics /readyz /source)
  totals  http://127.0.0.1:${ABACUS_HTTP_PORT:-8080} (REST)
          http://127.0.0.1:${ABACUS_TOTALS_ADMIN_PORT:-9465} (/metrics /readyz)
END
    [[ " ${compose_profiles[*]} " != *" observe "* ]] || cat <<END
  boards  http://127.0.0.1:${ABACUS_GRAFANA_PORT:-3000}
  metrics http://127.0.0.1:${ABACUS_PROMETHEUS_PORT:-9090}
END
    [[ " ${compose_profiles[*]} " != *" ui "* ]] ||
        say "  topics  http://127.0.0.1:${ABACUS_KAFKA_UI_PORT:-8081}"
    say "
Try: ./abacus compose smoke; ./abacus compose cli add 2 3; ./abacus compose cli total
./abacus compose down stops it."
}

# --- smoke, and back to what passed it ---
# In a container beside the services: works wherever Docker does, and nothing else is needed.
# No pipe here: docker dies of one that its reader closes early.
compose_smoke() {
    local adder network image
    adder=$(docker_compose ps --quiet adder)
    [ -n "$adder" ] || fail "no adder runs here: ./abacus compose up first"
    network=$(docker inspect --format \
        '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' "$adder")
    image=$(docker_compose --profile tools config --images cli)
    "$root/deploy/smoke/smoke.sh" --adder adder:50051 --adder-admin http://adder:9464 \
        --totals http://totals:8080 --cli "docker run --rm --network $network $image" "$@"
    compose_keep
}

image_that_runs() { # NAME: of a service
    docker inspect --format '{{.Image}}' "$(docker_compose ps --all --quiet "$1")"
}

# The images by a tag of their own: the one they came by may be given to others.
compose_tag() { printf '%s-checked' "$compose_project"; }

compose_write_settings() {
    mkdir -p "$compose_state"
    # A password may be among them.
    (umask 077 && ABACUS_REGISTRY='' ABACUS_VERSION=$(compose_tag) docker_compose config \
        >"$compose_state/up.yaml")
}

compose_keep() {
    local name
    [ -e "$compose_state/up.yaml" ] || return 0 # another program started them
    for name in adder totals; do
        docker tag "$(image_that_runs "$name")" "abacus-$name:$(compose_tag)"
    done
    cp "$compose_state/up.yaml" "$compose_checked"
}

compose_back() {
    [ -e "$compose_checked" ] || fail "nothing to go back to: no smoke check has passed"
    title "Going back to what passed the smoke check last"
    docker compose --file "$compose_checked" up --detach --no-build --remove-orphans --wait \
        --wait-timeout "$compose_wait_s" ||
        fail "that does not come up either: ./abacus compose ps, ./abacus compose logs NAME"
    cp "$compose_checked" "$compose_state/up.yaml"
}

compose_forget() {
    rm -rf "$compose_state"
    docker image rm "abacus-adder:$(compose_tag)" "abacus-totals:$(compose_tag)" \
        >/dev/null 2>&1 || true
}

compose_down() {
    compose_profiles=(--profile '*')
    case "$*" in
    '') docker_compose down ;;
    --volumes)
        say "Removing the containers and, with all that they hold, the volumes:"
        docker volume ls --quiet \
            --filter "label=com.docker.compose.project=$compose_project" |
            sed 's/^/  /'
        docker_compose down --volumes
        compose_forget
        ;;
    *) usage_error "compose down: only --volumes" ;;
    esac
}

compose() {
    local command=${1:-help}
    [ $# -eq 0 ] || shift
    case $command in
    help | -h | --help)
        compose_help
        return
        ;;
    esac
    compose_check_engine
    case $command in
    up) compose_up "$@" ;;
    smoke) compose_smoke "$@" ;;
    cli) docker_compose --profile tools run --rm --no-TTY cli "$@" ;;
    build) compose_build ;;
    back) compose_back ;;
    down) compose_down "$@" ;;
    *) docker_compose --profile '*' "$command" "$@" ;;
    esac
}
