// SPDX-License-Identifier: Apache-2.0
// abacus-cli total: GET /v1/total, or with --watch the stream of its changes.
#include "base/int128.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "cli/http_get.h"
#include "cli/services.h"
#include "cli/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_MS 1000

struct total_config {
    const char *totals;
    int64_t timeout_ms;
    bool watch;
    int output;
};

#define FIELD(name) .offset = offsetof(struct total_config, name)
static const struct option table[] = {
    {"totals", OPTION_TEXT, FIELD(totals), TOTALS_DEFAULT, .unit = "URL",
     .text = "Where totals serves its REST API."},
    {"watch", OPTION_FLAG, FIELD(watch), .text = "Shows each change, until Ctrl-C."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "5000", 1, INT32_MAX, .unit = "MS",
     .text = "How long an answer (with --watch: a connection) may take."},
    CLI_OUTPUT_OPTION(offsetof(struct total_config, output)),
};

static const struct options_usage usage = {
    .program = "abacus-cli total",
    .synopsis = "[OPTION]...",
    .purpose = "Shows the running total.\nExit code 0: shown; 1: no answer; 2: wrong arguments.",
};

// One value of the document as people read it: decimal strings without their quotes.
static void print_value(const json_t *value)
{
    if (json_is_string(value)) {
        fputs(json_string_value(value), stdout);
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    fputs(text == NULL ? "?" : text, stdout);
    free(text);
}

static void print_document(const json_t *document)
{
    const char *name, *gap = "";
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)document, name, value) {
        printf("%s%s ", gap, name);
        print_value(value);
        gap = "  ";
    }
    putchar('\n');
    fflush(stdout);
}

static bool show_once(const struct total_config *config, const char *url, struct err *err)
{
    json_t *document;
    if (!http_get_json(&document, url, config->timeout_ms, err))
        return false;
    struct total total;
    const bool ok = total_parse(&total, document, err) || err_prefix(err, "%s", url);
    if (ok && config->output == CLI_TEXT) {
        print_document(document);
    } else if (ok) {
        json_dumpf(document, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(document);
    return ok;
}

// --- watch ---
struct watch {
    const struct total_config *config;
    struct sse sse;
    bool heard; // something came, so it is the right address
};

static void on_line(const char *line, size_t length, void *ctx)
{
    struct watch *w = ctx;
    struct bytes data;
    w->heard = true;
    if (!sse_line(&w->sse, line, length, &data))
        return;
    json_t *document = NULL;
    if (w->config->output == CLI_TEXT)
        document = json_loadb((const char *)data.data, data.length, 0, NULL);
    if (json_is_object(document)) {
        print_document(document);
    } else {
        puts((const char *)data.data);
        fflush(stdout);
    }
    json_decref(document);
}

// The stream may end at any time (totals restarts): it is followed again. Only an address that
// never gave anything is a failure.
static bool watch(const struct total_config *config, const char *url, struct err *err)
{
    struct watch w = {.config = config};
    bool ok = true;
    while (ok && !stop_requested()) {
        struct err why = {.text = "the stream ended"};
        sse_clear(&w.sse);
        w.sse = (struct sse){.any = false};
        const bool ended = http_get_lines(url, config->timeout_ms, on_line, &w, &why);
        if (!ended && !w.heard) {
            *err = why;
            ok = false;
        } else if (!stop_requested()) {
            fprintf(stderr, "total: %s; connecting again\n", why.text);
            stop_wait(RECONNECT_MS);
        }
    }
    sse_clear(&w.sse);
    return ok;
}

int total_main(int argc, char *const *argv)
{
    struct total_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    char *url = url_join(config.totals, config.watch ? "/v1/total/stream" : "/v1/total");
    struct err err;
    const bool ok = config.watch ? watch(&config, url, &err) : show_once(&config, url, &err);
    free(url);
    if (ok)
        return CLI_OK;
    fprintf(stderr, "total: %s\n", err.text);
    return err.code == ERR_USAGE ? CLI_UNKNOWN : CLI_FAILED;
}
