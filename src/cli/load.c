// SPDX-License-Identifier: Apache-2.0
// abacus-cli load: sends adds (load_engine.h), then waits until the total has what was acknowledged
// (load_stats.h says what it must have), and reports.
#include "base/clock.h"
#include "base/int128.h"
#include "base/stop.h"
#include "cli/address.h"
#include "cli/cli.h"
#include "cli/load_engine.h"
#include "cli/load_report.h"
#include "cli/services.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DURATION_DEFAULT_S   10
#define PROGRESS_LINE_S      5  // where the terminal cannot be written over
#define POLL_MS              50 // how exactly we know when the total had it all
#define HELLO_TIMEOUT_MAX_MS 5000
#define REPEAT_MAX_MS        30000

#define FIELD(name) .offset = offsetof(struct load_config, name)
static const struct option table[] = {
    {"adder", OPTION_TEXT, FIELD(adder), "127.0.0.1:50051", .unit = "HOST:PORT",
     .text = "The adder's gRPC address."},
    {"adder-admin", OPTION_TEXT, FIELD(adder_admin), .unit = "URL",
     .text = "The adder's admin address: tells whether events are still on their way, so that "
             "what is missing in the end can be called lost."},
    {"totals", OPTION_TEXT, FIELD(totals), TOTALS_DEFAULT, .unit = "URL",
     .text = "Where totals serves its REST API."},
    {"connections", OPTION_INT, FIELD(connections), "4", 1, 10000, .text = "gRPC connections."},
    {"in-flight", OPTION_INT, FIELD(in_flight), "64", 1, 10000,
     .text = "Adds without an answer on each connection, at most."},
    {"rate", OPTION_INT, FIELD(rate), "0", 0, 10000000, .unit = "PER_S",
     .text = "Adds a second in all; 0: each answer is followed by the next add."},
    {"count", OPTION_INT, FIELD(count), "0", 0, INT64_MAX, .unit = "ADDS",
     .text = "Ends after so many; 0: no limit."},
    {"duration-s", OPTION_INT, FIELD(duration_s), "0", 0, 86400 * 365, .unit = "S",
     .text = "Ends after so long; 0: no limit, or 10 s without --count."},
    {"request-ids", OPTION_FLAG, FIELD(request_ids),
     .text = "Gives each add an id and repeats it while its fate is unknown, for at most 30 s."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "10000", 1, INT32_MAX, .unit = "MS",
     .text = "Each call's deadline."},
    {"wait-s", OPTION_INT, FIELD(wait_s), "30", 0, 86400, .unit = "S",
     .text = "How long the total may take to come to rest before, and to gain what was "
             "acknowledged after."},
    {"no-verify", OPTION_FLAG, FIELD(no_verify),
     .text = "Looks neither into the answers nor at the total."},
    CLI_OUTPUT_OPTION(offsetof(struct load_config, output)),
};

static const struct options_usage usage = {
    .program = "abacus-cli load",
    .synopsis = "[OPTION]...",
    .purpose = "Adds as fast as asked for, measures rate and latency, and compares what was "
               "acknowledged with what the total gained.\n"
               "Exit code 0: all there; 1: lost, counted twice or answered wrongly; 2: could not "
               "tell.",
};

// --- progress ---
static void on_second(const struct load_stats *s, int64_t elapsed_ns, void *ctx)
{
    int64_t *last = ctx; // acknowledged a second ago
    const int64_t elapsed_s = (elapsed_ns + NS_PER_S / 2) / NS_PER_S;
    const bool in_place = isatty(STDERR_FILENO);
    if (in_place || elapsed_s % PROGRESS_LINE_S == 0)
        fprintf(stderr,
                "%s%" PRId64 " s: %" PRId64 " adds/s, acknowledged %" PRId64 ", unknown %" PRId64
                ", in flight %" PRId64 ", p99 %.2f ms%s",
                in_place ? "\r\033[K" : "", elapsed_s, s->acknowledged - *last, s->acknowledged,
                s->unknown, load_stats_in_flight(s),
                (double)histogram_percentile(&s->latency_ns, 0.99) / NS_PER_MS,
                in_place ? "" : "\n");
    *last = s->acknowledged;
}

static void progress_end(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

// --- verify ---
struct quiet {             // zeroed: not asked yet
    int64_t published;     // by the adder, if we may ask it
    int64_t since_mono_ns; // when that was first known
};

// True: totals have read all that was in Kafka when this was asked first, and what the adder (if we
// may ask it) has published since; it holds nothing that is not there.
static bool is_quiet(const struct load_config *config, struct quiet *q, struct err *err)
{
    struct adder_source source = {.partition = -1};
    struct partition_lags lags = {0};
    const bool ask_adder = config->adder_admin[0] != '\0';
    if (ask_adder && (!adder_source_read(&source, config->adder_admin, config->timeout_ms, err) ||
                      source.published != source.count))
        return false;
    if (q->since_mono_ns == 0 || q->published != source.published)
        *q = (struct quiet){source.published, clock_mono_ns()};
    if (!partition_lags_read(&lags, config->totals, config->timeout_ms, err))
        return false;
    const int64_t lag = source.partition >= 0
                            ? partition_lag(&lags, source.partition, q->since_mono_ns)
                            : partition_lag_all(&lags, q->since_mono_ns);
    partition_lags_clear(&lags);
    return lag == 0;
}

// What is still on its way from before would be taken for ours; and totals that are just starting
// do not read yet, while an embedded broker may already forget.
static bool await_quiet(const struct load_config *config, struct err *err)
{
    const int64_t end_mono_ns = clock_mono_ns() + config->wait_s * NS_PER_S;
    struct quiet quiet = {0};
    bool told = false;
    err_set(err, ERR_UNAVAILABLE, "events are on their way, or totals do not read Kafka yet");
    while (!is_quiet(config, &quiet, err)) {
        if (clock_mono_ns() >= end_mono_ns || stop_wait(POLL_MS))
            return false;
        if (!told)
            fprintf(stderr, "load: waiting until totals have read Kafka to its end\n");
        told = true;
    }
    return true;
}

// One look at the total. settled: nothing is on its way, which only the adder can tell.
static bool gain_read(const struct load_config *config, const struct total *before,
                      struct quiet *quiet, struct load_gain *gain, struct err *err)
{
    struct total now;
    gain->settled = config->adder_admin[0] != '\0' && is_quiet(config, quiet, err);
    if (!total_read(&now, config->totals, config->timeout_ms, err))
        return false;
    gain->count = now.count - before->count;
    gain->sum = now.sum - before->sum;
    return true;
}

// Right as it is, and nothing that could come would change it.
static bool gain_is_final(const struct load_stats *s, const struct load_gain *gain,
                          enum load_verdict verdict)
{
    return verdict == LOAD_EXCESS || verdict == LOAD_DIFFERENT ||
           (verdict == LOAD_RIGHT && (s->unknown == 0 || gain->settled));
}

// A loss is believed only at the end of the wait: what an adder repeats may still close it.
static void verify(const struct load_config *config, const struct total *before,
                   struct load_outcome *o)
{
    const int64_t end_mono_ns = clock_mono_ns() + config->wait_s * NS_PER_S;
    struct quiet quiet = {0};
    bool again;
    do {
        o->totals_answered = gain_read(config, before, &quiet, &o->gain, &o->trouble);
        o->verdict = o->totals_answered ? load_judge(&o->stats, &o->gain) : LOAD_UNSURE;
        o->looked_mono_ns = clock_mono_ns();
        again = !o->totals_answered || !gain_is_final(&o->stats, &o->gain, o->verdict);
    } while (again && o->looked_mono_ns < end_mono_ns && !stop_wait(POLL_MS));
}

// --- the command ---
// Any answer at all says that an adder is there, so that a wrong address is told at once.
static bool adder_answers(const struct load_config *config, const struct address *adder,
                          struct err *err)
{
    const struct grpc_call_spec spec = {
        .path = "/grpc.health.v1.Health/Check",
        .timeout_ms =
            config->timeout_ms < HELLO_TIMEOUT_MAX_MS ? config->timeout_ms : HELLO_TIMEOUT_MAX_MS,
    };
    struct grpc_answer answer;
    grpc_call_blocking(adder->host, adder->port, &spec, &answer);
    const bool answered = answer.answered;
    if (!answered)
        err_set(err, ERR_UNAVAILABLE, "%.*s", (int)answer.text.length,
                (const char *)answer.text.data);
    grpc_answer_clear(&answer);
    return answered;
}

static bool prepare(struct load_config *config, struct address *adder, struct total *before,
                    struct err *err)
{
    if (config->count == 0 && config->duration_s == 0)
        config->duration_s = DURATION_DEFAULT_S;
    if (!address_parse(adder, "adder", config->adder, err) || !adder_answers(config, adder, err))
        return false;
    return config->no_verify ||
           (await_quiet(config, err) &&
            total_read(before, config->totals, config->timeout_ms, err)) ||
           err_prefix(err, "the total cannot be compared (--no-verify does without)");
}

static void run(const struct load_config *config, const struct address *adder,
                const struct total *before, struct load_outcome *o)
{
    int64_t last = 0;
    const struct load_spec spec = {
        .host = adder->host,
        .port = adder->port,
        .connections = config->connections,
        .in_flight = config->in_flight,
        .rate = config->rate,
        .count = config->count,
        .duration_s = config->duration_s,
        .request_ids = config->request_ids,
        .look_into_answers = !config->no_verify,
        .timeout_ms = config->timeout_ms,
        .repeat_max_ms = REPEAT_MAX_MS,
        .on_second = on_second,
        .ctx = &last,
    };
    o->started_mono_ns = load_run(&spec, &o->stats);
    progress_end();
    if (!config->no_verify)
        verify(config, before, o);
}

int load_main(int argc, char *const *argv)
{
    struct load_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    struct address adder;
    struct total before;
    struct err err;
    if (!prepare(&config, &adder, &before, &err)) {
        fprintf(stderr, "load: %s\n", err.text);
        return CLI_UNKNOWN;
    }
    static struct load_outcome result; // the histogram is large for a stack
    run(&config, &adder, &before, &result);
    return load_report(&config, &result);
}
