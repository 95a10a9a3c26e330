# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus compose`: Abacus in containers on this machine, by deploy/compose/compose.yaml.
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

compose_wait_s=300 # until all is healthy; pulling images comes before
compose_profiles=()

compose_help() {
    cat <<END
./abacus compose COMMAND
Abacus in containers on this machine: Kafka, adder, totals.

  up [OPTION]...      builds what is ours, starts, waits until all is healthy
      --observe       with collector, Prometheus, Grafana, Loki, Tempo
      --ui            with a page that shows what is in Kafka
      --no-build      images are there already
  smoke [OPTION]...   adds and checks: 0 all there once, 1 lost or doubled, 2 could not tell
                      (options: deploy/smoke/smoke.sh --help)
  cli COMMAND...      abacus-cli beside the services: cli add 2 3, cli total, cli check
  build               only builds the images
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
port_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Before anything starts. What our own containers hold is theirs.
compose_check_ports() {
    local port variable wanted ours
    wanted=$(docker_compose config | sed -n 's/^ *published: "\([0-9]*\)"$/\1/p')
    ours=$(docker_compose ps --format '{{range .Publishers}}{{.PublishedPort}} {{end}}')
    for port in $wanted; do
        [[ " ${ours//$'\n'/ } " != *" $port "* ]] || continue
        if port_taken "$port"; then
            variable=$(grep -o "ABACUS_[A-Z_]*_PORT:-$port" "$root/deploy/compose/compose.yaml" |
                head -n 1 | cut -d : -f 1) || true
            fail "port $port of 127.0.0.1 is taken by another program (ss -ltnp says which);
  end that, or take another: ${variable:-the variable you set}=NUMBER ./abacus compose up"
        fi
    done
}

compose_up() {
    local build=yes started
    while [ $# -gt 0 ]; do
        case $1 in
        --observe)
            compose_profiles+=(--profile observe)
            export OTEL_EXPORTER_OTLP_ENDPOINT=${OTEL_EXPORTER_OTLP_ENDPOINT:-http://collector:4318}
            ;;
        --ui) compose_profiles+=(--profile ui) ;;
        --no-build) build="" ;;
        *) usage_error "compose up: unknown option \"$1\"" ;;
        esac
        shift
    done
    compose_check_ports
    [ -z "$build" ] || compose_build
    started=$(now_ms)
    docker_compose up --detach --no-build --wait --wait-timeout "$compose_wait_s" ||
        compose_explain
    compose_say "$(seconds_since "$started")"
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

# The last words of what is not healthy; what runs is left to be looked at.
compose_explain() {
    local name
    for name in $(docker_compose ps --all --format '{{.Service}} {{.State}} {{.Health}}' |
        grep -v ' running \(healthy\)\?$' | cut -d ' ' -f 1); do
        title "$name, the end of its log"
        docker_compose logs --no-log-prefix --tail 5 "$name"
    done
    fail "not all came up; what did, still runs: ./abacus compose ps,
  ./abacus compose logs NAME, ./abacus compose down"
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

# --- smoke and down ---
# In a container beside the services: works wherever Docker does, and nothing else is needed.
compose_smoke() {
    local adder network image
    adder=$(docker_compose ps --quiet adder | head -n 1)
    [ -n "$adder" ] || fail "no adder runs here: ./abacus compose up first"
    network=$(docker inspect --format \
        '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' "$adder")
    image=$(docker_compose --profile tools config --images | grep -m 1 abacus-cli)
    "$root/deploy/smoke/smoke.sh" --adder adder:50051 --adder-admin http://adder:9464 \
        --totals http://totals:8080 --cli "docker run --rm --network $network $image" "$@"
}

compose_down() {
    compose_profiles=(--profile '*')
    case "$*" in
    '') docker_compose down ;;
    --volumes)
        say "Removing the containers and, with all that they hold, the volumes:"
        docker volume ls --quiet \
            --filter "label=com.docker.compose.project=${COMPOSE_PROJECT_NAME:-abacus}" |
            sed 's/^/  /'
        docker_compose down --volumes
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
    down) compose_down "$@" ;;
    *) docker_compose --profile '*' "$command" "$@" ;;
    esac
}
