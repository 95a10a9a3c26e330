// SPDX-License-Identifier: Apache-2.0
// abacus-cli check: reads both ends again and again until they agree or the wait is over, then
// gives the verdict (verdict.h says how one round of reading is judged).
//
// Only adders that were asked count. A source that is in the ledger alone (its adder is not in the
// list, or began anew with a fresh outbox) is shown and changes nothing: nobody is there to say
// what it should be.
#include "base/clock.h"
#include "base/int128.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "cli/services.h"
#include "cli/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 200

struct check_config {
    struct option_list adders;
    const char *totals;
    int64_t wait_s, timeout_ms;
    int output;
};

#define FIELD(name) .offset = offsetof(struct check_config, name)
static const struct option table[] = {
    {"adder-admin", OPTION_LIST, FIELD(adders), .unit = "URL",
     .text = "An adder's admin address; may be repeated [" ADDER_ADMIN_DEFAULT "]."},
    {"totals", OPTION_TEXT, FIELD(totals), TOTALS_DEFAULT, .unit = "URL",
     .text = "Where totals serves its REST API."},
    {"wait-s", OPTION_INT, FIELD(wait_s), "10", 0, 86400, .unit = "S",
     .text = "How long events on their way are waited for."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "5000", 1, INT32_MAX, .unit = "MS",
     .text = "How long one answer may take."},
    CLI_OUTPUT_OPTION(offsetof(struct check_config, output)),
};

static const struct options_usage usage = {
    .program = "abacus-cli check",
    .synopsis = "[OPTION]...",
    .purpose = "Compares what adders committed with what totals counted.\n"
               "Exit code 0: all equal; 1: something is lost or counted twice; 2: could not tell "
               "(no answer, or events still on their way after the wait).",
};

struct check_adder {
    const char *admin;
    struct adder_source before, after; // before and after the ledger was read
    int64_t published_mono_ns;         // since when it is known that so many are published
    bool answered;
    struct err trouble;
    struct verdict_result result;
};

struct check {
    const struct check_config *config;
    struct check_adder adders[OPTION_LIST_MAX];
    size_t adders_count;
    bool totals_answered;
    struct err totals_trouble;
    struct partition_lags lags;
    struct ledger_views ledger;
};

// --- one round ---
static void adder_before(const struct check *c, struct check_adder *a)
{
    const struct adder_source last = a->before;
    a->answered = adder_source_read(&a->before, a->admin, c->config->timeout_ms, &a->trouble);
    if (a->published_mono_ns == 0 || !a->answered || a->before.published != last.published ||
        !uuid_equal(&a->before.source, &last.source))
        a->published_mono_ns = clock_mono_ns();
}

static void adder_after(const struct check *c, struct check_adder *a)
{
    if (!a->answered)
        return;
    a->answered = adder_source_read(&a->after, a->admin, c->config->timeout_ms, &a->trouble);
    if (a->answered && !uuid_equal(&a->before.source, &a->after.source))
        a->answered =
            err_set(&a->trouble, ERR_UNKNOWN, "%s: another outbox since a moment ago", a->admin);
}

static void totals_read(struct check *c)
{
    partition_lags_clear(&c->lags);
    ledger_views_clear(&c->ledger);
    const struct check_config *config = c->config;
    c->totals_answered =
        partition_lags_read(&c->lags, config->totals, config->timeout_ms, &c->totals_trouble) &&
        ledger_views_read(&c->ledger, config->totals, config->timeout_ms, &c->totals_trouble);
}

static struct verdict_result unanswered(const struct err *trouble)
{
    struct verdict_result result = {.verdict = VERDICT_UNKNOWN};
    snprintf(result.text, sizeof(result.text), "%s", trouble->text);
    return result;
}

static void adder_judge(const struct check *c, struct check_adder *a)
{
    if (!a->answered || !c->totals_answered) {
        a->result = unanswered(a->answered ? &c->totals_trouble : &a->trouble);
        return;
    }
    const struct verdict_input input = {
        .published = a->before.published,
        .lag = partition_lag(&c->lags, a->after.partition, a->published_mono_ns),
        .ledger = ledger_views_find(&c->ledger, &a->after.source),
        .count = a->after.count,
        .sum = a->after.sum,
    };
    a->result = verdict_judge(&input);
}

static void check_round(struct check *c)
{
    for (size_t i = 0; i < c->adders_count; i++)
        adder_before(c, &c->adders[i]);
    totals_read(c);
    for (size_t i = 0; i < c->adders_count; i++)
        adder_after(c, &c->adders[i]);
    for (size_t i = 0; i < c->adders_count; i++)
        adder_judge(c, &c->adders[i]);
}

// True: another round cannot change the verdict.
static bool check_settled(const struct check *c)
{
    bool all_equal = true;
    for (size_t i = 0; i < c->adders_count; i++) {
        if (verdict_final(c->adders[i].result.verdict))
            return true;
        all_equal = all_equal && c->adders[i].result.verdict == VERDICT_EQUAL;
    }
    return all_equal;
}

static void check_run(struct check *c)
{
    const int64_t end_mono_ns = clock_mono_ns() + c->config->wait_s * NS_PER_S;
    check_round(c);
    while (!check_settled(c) && clock_mono_ns() < end_mono_ns && !stop_wait(POLL_MS))
        check_round(c);
}

static int check_exit(const struct check *c)
{
    enum verdict verdicts[OPTION_LIST_MAX];
    for (size_t i = 0; i < c->adders_count; i++)
        verdicts[i] = c->adders[i].result.verdict;
    return verdict_exit(verdicts, c->adders_count);
}

// --- report ---
static bool asked_for(const struct check *c, const struct uuid *source)
{
    for (size_t i = 0; i < c->adders_count; i++) {
        if (c->adders[i].answered && uuid_equal(&c->adders[i].after.source, source))
            return true;
    }
    return false;
}

static const char *summary(int code)
{
    return code == CLI_OK       ? "all equal: nothing lost, nothing counted twice"
           : code == CLI_FAILED ? "WRONG: sums were lost or counted twice"
                                : "could not tell";
}

static void report_text(const struct check *c, int code)
{
    for (size_t i = 0; i < c->adders_count; i++) {
        const struct check_adder *a = &c->adders[i];
        printf("%-36s  %-13s  %s\n", a->answered ? a->after.source.text : a->admin,
               verdict_name(a->result.verdict), a->result.text);
    }
    for (size_t i = 0; i < c->ledger.count; i++) {
        const struct ledger_view *view = &c->ledger.items[i];
        if (!asked_for(c, &view->source))
            printf("%-36s  %-13s  %" PRId64 " events in the ledger, %" PRId64 " missing\n",
                   view->source.text, "not asked for", view->count, view->missing_events);
    }
    printf("%s\n", summary(code));
}

static json_t *adder_json(const struct check_adder *a)
{
    json_t *item = json_pack("{s:s, s:s, s:s}", "adder", a->admin, "verdict",
                             verdict_name(a->result.verdict), "text", a->result.text);
    if (a->answered)
        json_object_set_new(item, "source", json_string(a->after.source.text));
    return item;
}

static void report_json(const struct check *c, int code)
{
    json_t *sources = json_array(), *others = json_array();
    for (size_t i = 0; i < c->adders_count; i++)
        json_array_append_new(sources, adder_json(&c->adders[i]));
    for (size_t i = 0; i < c->ledger.count; i++) {
        if (!asked_for(c, &c->ledger.items[i].source))
            json_array_append_new(others, json_string(c->ledger.items[i].source.text));
    }
    json_t *document = json_pack("{s:i, s:s, s:o, s:o}", "exit_code", code, "verdict",
                                 summary(code), "sources", sources, "not_asked_for", others);
    json_dumpf(document, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(document);
}

static void check_init(struct check *c, const struct check_config *config)
{
    *c = (struct check){.config = config, .adders_count = config->adders.count};
    for (size_t i = 0; i < c->adders_count; i++)
        c->adders[i].admin = config->adders.items[i];
    if (c->adders_count == 0)
        c->adders[c->adders_count++].admin = ADDER_ADMIN_DEFAULT;
}

int check_main(int argc, char *const *argv)
{
    struct check_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    struct check check;
    check_init(&check, &config);
    check_run(&check);
    const int code = check_exit(&check);
    if (config.output == CLI_JSON)
        report_json(&check, code);
    else
        report_text(&check, code);
    partition_lags_clear(&check.lags);
    ledger_views_clear(&check.ledger);
    return code;
}
