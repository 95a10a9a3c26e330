// SPDX-License-Identifier: Apache-2.0
#include "totals/batch_log.h"

#include "base/log.h"

#include <inttypes.h>

#define MODULE     "consumer"
#define FIELDS_MAX 6

// The facts of one event for machines, and the texts they borrow.
struct facts {
    struct log_field fields[FIELDS_MAX];
    size_t count;
    struct trace_ids ids;
};

static void fact_add(struct facts *facts, struct log_field field)
{
    facts->fields[facts->count++] = field;
}

static void facts_gather(struct facts *facts, const struct ledger_entry *entry)
{
    *facts = (struct facts){.ids = trace_context_ids(&entry->event.context)};
    fact_add(facts, (struct log_field){.name = "partition", .number = entry->partition});
    fact_add(facts, (struct log_field){.name = "offset", .number = entry->offset});
    if (!entry->dead_letter) {
        fact_add(facts, (struct log_field){.name = "source", .text = entry->event.source.text});
        fact_add(facts, (struct log_field){.name = "sequence", .number = entry->event.sequence});
    }
    if (facts->ids.trace_id[0] != '\0') {
        fact_add(facts, (struct log_field){.name = "trace_id", .text = facts->ids.trace_id});
        fact_add(facts, (struct log_field){.name = "span_id", .text = facts->ids.span_id});
    }
}

#define LOG_EVENT(level, entry, ...)                                         \
    do {                                                                     \
        struct facts facts;                                                  \
        facts_gather(&facts, (entry));                                       \
        log_fields((level), MODULE, facts.fields, facts.count, __VA_ARGS__); \
    } while (0)

static void log_missing(const struct ledger_entry *entry)
{
    const int64_t last = entry->event.sequence - 1;
    if (entry->skipped == 1)
        LOG_EVENT(LOG_WARN, entry, "missing: sequence %" PRId64 " of source %s", last,
                  entry->event.source.text);
    else
        LOG_EVENT(LOG_WARN, entry, "missing: sequences %" PRId64 " to %" PRId64 " of source %s",
                  last - entry->skipped + 1, last, entry->event.source.text);
}

static void log_applied(const struct ledger_entry *entry, bool debug)
{
    if (entry->skipped > 0)
        log_missing(entry);
    if (entry->closed)
        LOG_EVENT(LOG_INFO, entry,
                  "no longer missing: sequence %" PRId64 " of source %s was the last of a range",
                  entry->event.sequence, entry->event.source.text);
    if (debug)
        LOG_EVENT(LOG_DEBUG, entry, "applied: sequence %" PRId64 " of source %s",
                  entry->event.sequence, entry->event.source.text);
}

static void log_entry(const struct ledger_entry *entry, const struct dead_letter *letter,
                      bool debug)
{
    if (letter->reason != NULL)
        LOG_EVENT(LOG_WARN, entry, "dead letter: %s", letter->reason);
    else if (entry->verdict == APPLY_NEW)
        log_applied(entry, debug);
    else if (debug)
        LOG_EVENT(LOG_DEBUG, entry, "dropped: sequence %" PRId64 " of source %s came before",
                  entry->event.sequence, entry->event.source.text);
}

void batch_log(const struct batch *b)
{
    const bool debug = log_level_get() == LOG_DEBUG;
    for (size_t i = 0; i < b->count; i++)
        log_entry(&b->entries[i], &b->letters[i], debug);
}
