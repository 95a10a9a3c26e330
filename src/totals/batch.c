// SPDX-License-Identifier: Apache-2.0
#include "totals/batch.h"

#include "base/clock.h"
#include "base/fault.h"
#include "totals/batch_log.h"
#include "totals/batch_metrics.h"
#include "totals/batch_spans.h"

#include <assert.h>
#include <stdlib.h>

static_assert(BATCH_MAX <= LEDGER_BATCH_MAX, "a batch is one transaction");

static void entry_clear(struct dead_letter *letter)
{
    rd_kafka_message_destroy(letter->message);
    free((char *)(uintptr_t)letter->reason);
}

void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        entry_clear(&b->letters[i]);
    b->count = 0;
    b->taken = (struct moment){0};
}

// --- messages in ---
static bool decode(const rd_kafka_message_t *m, struct event *event, struct err *err)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(m, &headers) != 0)
        headers = NULL;
    const struct event_message message = {.key = m->key,
                                          .value = m->payload,
                                          .key_length = m->key_len,
                                          .value_length = m->len,
                                          .headers = headers};
    return event_decode(&message, event, err);
}

// The message before the ledger's place is read once more: if the ledger does not have its event,
// the topic is another one by the same name.
static void probe(struct batch *b, const rd_kafka_message_t *m)
{
    struct event event;
    struct err stranger;
    if (decode(m, &event, &stranger) && !ledger_has(b->ledger, &event))
        positions_restart(b->positions, m->partition);
}

static void append(struct batch *b, rd_kafka_message_t *m)
{
    if (b->count == 0)
        b->begun_mono_ns = clock_mono_ns();
    struct ledger_entry *entry = &b->entries[b->count];
    struct dead_letter *letter = &b->letters[b->count++];
    struct err err;
    entry->partition = m->partition;
    entry->offset = m->offset;
    entry->dead_letter = !decode(m, &entry->event, &err);
    *letter =
        (struct dead_letter){.message = m, .reason = entry->dead_letter ? xstrdup(err.text) : NULL};
}

bool batch_take(struct batch *b, rd_kafka_message_t *m)
{
    CHECK_INT(b->count, <, BATCH_MAX);
    if (positions_is_probe(b->positions, m->partition, m->offset)) {
        probe(b, m);
        rd_kafka_message_destroy(m);
        return true;
    }
    // Offsets of one partition ascend within a batch.
    if (b->count > 0 && positions_is_back(b->positions, m->partition, m->offset))
        return false;
    if (positions_read(b->positions, m->partition, m->offset))
        append(b, m);
    else
        rd_kafka_message_destroy(m); // of before a rebalance, or to be read again
    return true;
}

// --- settling them ---
static void refused_mark(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct dead_letter *letter = &b->letters[i];
        if (!b->entries[i].dead_letter && b->entries[i].verdict == APPLY_REFUSED &&
            letter->reason == NULL)
            letter->reason =
                xasprintf("refused: source %s would have more than %d missing ranges, or there "
                          "are too many sources",
                          b->entries[i].event.source.text, APPLY_RANGES_MAX);
    }
}

static bool settle(struct batch *b, struct attempt *attempt, struct err *err)
{
    if (fault_here(FAULT_totals_poll))
        return err_set(err, ERR_UNAVAILABLE, "injected fault");
    attempt->transaction = true;
    if (!ledger_stage(b->ledger, b->entries, b->count, err))
        return false;
    refused_mark(b);
    if (!dead_letters_send(b->dead_letters, b->letters, b->count, err)) {
        ledger_rollback(b->ledger);
        attempt->transaction = false;
        return false;
    }
    if (!ledger_commit(b->ledger, err))
        return false;
    positions_committed(b->positions, b->entries, b->count);
    return true;
}

static struct moment moment_now(void)
{
    return (struct moment){.mono_ns = clock_mono_ns(), .unix_us = clock_unix_us()};
}

bool batch_commit(struct batch *b, struct err *err)
{
    struct attempt attempt = {.begin = moment_now()};
    if (b->taken.mono_ns == 0)
        b->taken = attempt.begin;
    const bool ok = settle(b, &attempt, err);
    attempt.end = moment_now();
    attempt.err = ok ? NULL : err;
    batch_metrics_attempt(b->metrics, b, &attempt);
    batch_spans_attempt(b->spans, b, &attempt);
    if (ok)
        batch_log(b);
    return ok;
}
