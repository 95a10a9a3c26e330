// SPDX-License-Identifier: Apache-2.0
#include "cli/load_report.h"

#include "base/clock.h"
#include "base/int128.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

static double percentile_ms(const struct histogram *times_ns, size_t i)
{
    return (double)histogram_percentile(times_ns, percentiles[i].share) / NS_PER_MS;
}

// From the first add to the last acknowledgement.
static double sending_s(const struct load_outcome *o)
{
    const int64_t ns = o->stats.last_acknowledged_mono_ns - o->started_mono_ns;
    return ns > 0 ? (double)ns / NS_PER_S : 0;
}

// From the first add to the moment when the total had them all.
static double counting_s(const struct load_outcome *o)
{
    return (double)(o->looked_mono_ns - o->started_mono_ns) / NS_PER_S;
}

static double per_s(int64_t count, double seconds)
{
    return seconds > 0 ? (double)count / seconds : 0;
}

int load_exit(const struct load_config *config, const struct load_outcome *o)
{
    if (o->stats.wrong_answers > 0)
        return CLI_FAILED;
    if (config->no_verify)
        return o->stats.acknowledged > 0 ? CLI_OK : CLI_UNKNOWN;
    switch (o->verdict) {
    case LOAD_RIGHT:
        return CLI_OK;
    case LOAD_UNSURE:
        return CLI_UNKNOWN;
    default:
        return CLI_FAILED;
    }
}

// --- for people ---
static void print_statuses(const struct load_stats *s)
{
    printf("calls        ");
    for (int i = 0; i < LOAD_STATUSES; i++) {
        if (s->statuses[i] > 0)
            printf(" %s %" PRId64, grpc_status_name(i), s->statuses[i]);
    }
    printf("\n");
}

static void print_latency(const struct load_config *config, const struct load_outcome *o)
{
    printf("latency      ");
    for (size_t i = 0; i < COUNT_OF(percentiles); i++)
        printf(" %s %.3f ms ", percentiles[i].name, percentile_ms(&o->stats.latency_ns, i));
    printf(config->rate > 0 ? " (from when each add was due)\n" : "\n");
    if (o->stats.refusal_ns.count == 0)
        return;
    printf("refused after");
    for (size_t i = 0; i < COUNT_OF(percentiles); i++)
        printf(" %s %.3f ms ", percentiles[i].name, percentile_ms(&o->stats.refusal_ns, i));
    printf(" (from when each was sent)\n");
}

static void print_verdict(const struct load_outcome *o)
{
    static const char *const texts[] = {
        [LOAD_RIGHT] = "everything acknowledged is in the total, nothing twice",
        [LOAD_UNSURE] = "could not tell: some may still be on its way (--adder-admin tells)",
        [LOAD_LOST] = "LOST: nothing is on its way any more, and some is not in the total",
        [LOAD_EXCESS] = "WRONG: more than was sent: counted twice, or somebody else adds too",
        [LOAD_DIFFERENT] = "WRONG: the total gained another sum than was acknowledged",
    };
    if (!o->totals_answered) {
        printf("verdict       could not tell: %s\n", o->trouble.text);
        return;
    }
    char sum[INT128_TEXT_BYTES];
    int128_format(sum, o->gain.sum);
    printf("total gained  %" PRId64 " adds, sum %s, after %.2f s: %.0f adds/s end to end\n",
           o->gain.count, sum, counting_s(o), per_s(o->gain.count, counting_s(o)));
    if (o->stats.wrong_answers > 0)
        printf("verdict       WRONG: %" PRId64 " answers are not a + b\n", o->stats.wrong_answers);
    else
        printf("verdict       %s\n", texts[o->verdict]);
}

static void report_text(const struct load_config *config, const struct load_outcome *o)
{
    const struct load_stats *s = &o->stats;
    printf("sent          %" PRId64 " adds, %" PRId64 " repeated calls\n", s->begun, s->repeated);
    printf("acknowledged  %" PRId64 " in %.2f s: %.0f adds/s\n", s->acknowledged, sending_s(o),
           per_s(s->acknowledged, sending_s(o)));
    printf("refused       %" PRId64 "\n", s->refused);
    printf("unknown       %" PRId64 " (no clear answer: may or may not be counted)\n", s->unknown);
    print_statuses(s);
    print_latency(config, o);
    if (!config->no_verify)
        print_verdict(o);
}

// --- for programs ---
static json_t *decimal(__int128 value)
{
    char text[INT128_TEXT_BYTES];
    int128_format(text, value);
    return json_string(text);
}

static json_t *statuses_json(const struct load_stats *s)
{
    json_t *object = json_object();
    for (int i = 0; i < LOAD_STATUSES; i++) {
        if (s->statuses[i] > 0)
            json_object_set_new(object, grpc_status_name(i), json_integer(s->statuses[i]));
    }
    return object;
}

static json_t *percentiles_json(const struct histogram *times_ns)
{
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT_OF(percentiles); i++)
        json_object_set_new(object, percentiles[i].name, json_real(percentile_ms(times_ns, i)));
    return object;
}

static json_t *total_json(const struct load_outcome *o)
{
    if (!o->totals_answered)
        return json_pack("{s:s, s:s}", "verdict", load_verdict_name(LOAD_UNSURE), "trouble",
                         o->trouble.text);
    return json_pack("{s:s, s:o, s:o, s:f, s:f}", "verdict", load_verdict_name(o->verdict),
                     "gained_count", decimal(o->gain.count), "gained_sum", decimal(o->gain.sum),
                     "seconds", counting_s(o), "rate", per_s(o->gain.count, counting_s(o)));
}

static void report_json(const struct load_config *config, const struct load_outcome *o)
{
    const struct load_stats *s = &o->stats;
    json_t *document =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:o, s:o, s:o}",
                  "exit_code", load_exit(config, o), "sent", (json_int_t)s->begun, "acknowledged",
                  (json_int_t)s->acknowledged, "refused", (json_int_t)s->refused, "unknown",
                  (json_int_t)s->unknown, "repeated", (json_int_t)s->repeated, "wrong_answers",
                  (json_int_t)s->wrong_answers, "acknowledged_sum", decimal(s->acknowledged_sum),
                  "unknown_sum", decimal(s->unknown_sum), "seconds", sending_s(o), "rate",
                  per_s(s->acknowledged, sending_s(o)), "statuses", statuses_json(s), "latency_ms",
                  percentiles_json(&s->latency_ns), "refusal_ms", percentiles_json(&s->refusal_ns));
    if (!config->no_verify)
        json_object_set_new(document, "total", total_json(o));
    json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(document);
}

int load_report(const struct load_config *config, const struct load_outcome *outcome)
{
    if (config->output == CLI_JSON)
        report_json(config, outcome);
    else
        report_text(config, outcome);
    return load_exit(config, outcome);
}
