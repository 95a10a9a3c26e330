# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What watches the system under `./abacus up --observe`: an OpenTelemetry collector that writes
# traces and logs to files, and a Prometheus. Read by system.sh, whose state and pids it uses.
# shellcheck disable=SC2154
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

observe=$run/observe            # traces.json, logs.json, Prometheus' data: kept between runs
endpoint_file=$observe/endpoint # "PID URL" of the collector, as long as it runs
otlp_endpoint="" prometheus_url=""

observe_prepare() {
    need "$needs_observe"
    "$root/tools/otelcol.sh" build
    mkdir -p "$observe"
}

# Before the services, which find in the environment where to send their spans: all of them, and
# soon, since somebody waits for them.
observe_start() {
    collector_start
    prometheus_start
    export OTEL_EXPORTER_OTLP_ENDPOINT=$otlp_endpoint
    export OTEL_TRACES_SAMPLER=${OTEL_TRACES_SAMPLER:-parentbased_always_on}
    export OTEL_BSP_SCHEDULE_DELAY=${OTEL_BSP_SCHEDULE_DELAY:-500}
}

collector_start() {
    local address
    address=127.0.0.1:$(free_port_like 4318)
    collector_metrics=127.0.0.1:$(free_port_like 8888)
    : >>"$observe/traces.json" # the collector makes it with the first span, readers come before
    ABACUS_OTLP_ADDRESS=$address ABACUS_OTELCOL_METRICS_PORT=${collector_metrics##*:} \
        ABACUS_LOGS=$state ABACUS_OBSERVE=$observe \
        start collector "$("$root/tools/otelcol.sh" path)" --config "$root/deploy/otel/local.yaml"
    await collector 30 grep -q 'Everything is ready' "$state/collector.log"
    otlp_endpoint=http://$address
    printf '%s %s\n' "${pids[collector]}" "$otlp_endpoint" >"$endpoint_file"
}

# The configuration is the deployed one, with targets of its own beside it.
prometheus_start() {
    local folder=$observe/prometheus address
    address=127.0.0.1:$(free_port_like 9090)
    rm -rf "$folder/config"
    mkdir -p "$folder/config/targets"
    cp -r "$root/deploy/prometheus/prometheus.yml" "$root/deploy/prometheus/rules" "$folder/config"
    start prometheus prometheus --config.file "$folder/config/prometheus.yml" \
        --storage.tsdb.path "$folder/data" --storage.tsdb.retention.time 35d \
        --storage.tsdb.retention.size 512MB --enable-feature exemplar-storage \
        --web.enable-remote-write-receiver --web.listen-address "$address"
    await prometheus 60 grep -q 'Server is ready to receive web requests' "$state/prometheus.log"
    prometheus_url=http://$address
}

# Once it is known where the services are; Prometheus sees the files change.
observe_targets() {
    target abacus-adder "${adder_admin#http://}"
    target abacus-totals "$totals_admin"
    target telemetry "$collector_metrics"
}

target() { # JOB ADDRESS
    local file=$observe/prometheus/config/targets/$1.yml
    printf -- '- targets: ["%s"]\n' "$2" >"$file.new"
    mv "$file.new" "$file"
}

observe_say() {
    cat <<END
  traces  ./abacus trace: the newest add's; $otlp_endpoint takes more (OTLP over HTTP)
  logs    ${observe#"$PWD/"}/logs.json, and as they came in ${state#"$PWD/"}
  metrics $prometheus_url: try there, with a load running,
          abacus:outbox_appended:rate1m
          histogram_quantile(0.99, sum by (le) (rate(abacus_delivery_latency_seconds_bucket[1m])))
          abacus:stage_latency_seconds:p95_rate1m
END
}

# The services have sent their last spans when these go.
observe_stop() {
    [ -z "${pids[collector]:-}" ] || rm -f "$endpoint_file"
    stop prometheus 20
    stop collector 20
}

# For a client in another terminal: its span goes to the collector that runs, if one does.
observe_client() {
    local pid url
    [ -z "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" ] || return 0
    { read -r pid url <"$endpoint_file"; } 2>/dev/null || return 0
    if [ "$(readlink "/proc/$pid/exe")" = "$("$root/tools/otelcol.sh" path)" ]; then
        export OTEL_EXPORTER_OTLP_ENDPOINT=$url
    fi
}
