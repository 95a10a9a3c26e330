// SPDX-License-Identifier: Apache-2.0
// The relay's view of the outbox: a connection of its own, read-only. In WAL mode it sees a
// snapshot and the writer does not wait for it; it ends its snapshot with each call, so the WAL can
// be reset in between.
#include "adder/outbox_state.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct outbox_reader {
    struct outbox *outbox;
    struct store store;
    sqlite3_stmt *select; // owned
};

bool outbox_reader_open(struct outbox_reader **out, struct outbox *outbox, struct err *err)
{
    struct store store;
    if (!store_open_reader(&store, outbox->config.path, err))
        return false;
    struct outbox_reader *r = xcalloc(1, sizeof(*r));
    r->outbox = outbox;
    r->store = store;
    r->select =
        store_prepare(&r->store, "SELECT sequence, a, b, accepted_unix_us, traceparent FROM outbox"
                                 " WHERE sequence BETWEEN ?1 AND ?2 ORDER BY sequence");
    *out = r;
    return true;
}

void outbox_reader_close(struct outbox_reader *r)
{
    if (r == NULL)
        return;
    sqlite3_finalize(r->select);
    store_close(&r->store);
    free(r);
}

static bool hole(const struct outbox_reader *r, int64_t sequence, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s: row %" PRId64 " is missing; restore it from a copy",
                   r->store.path, sequence);
}

// The text was checked before it was stored.
static void context_column(sqlite3_stmt *stmt, int column, struct trace_context *out)
{
    out->traceparent[0] = '\0';
    if (sqlite3_column_bytes(stmt, column) != TRACEPARENT_LENGTH)
        return;
    memcpy(out->traceparent, sqlite3_column_text(stmt, column), TRACEPARENT_LENGTH);
    out->traceparent[TRACEPARENT_LENGTH] = '\0';
}

static bool event_columns(const struct outbox_reader *r, int64_t sequence, struct event *event,
                          struct err *err)
{
    event->source = r->outbox->id;
    event->sequence = sqlite3_column_int64(r->select, 0);
    event->a = sqlite3_column_int64(r->select, 1);
    event->b = sqlite3_column_int64(r->select, 2);
    event->accepted_unix_us = sqlite3_column_int64(r->select, 3);
    context_column(r->select, 4, &event->context);
    if (event->sequence != sequence)
        return hole(r, sequence, err);
    if (__builtin_add_overflow(event->a, event->b, &event->sum) ||
        !clock_is_rfc3339(event->accepted_unix_us))
        return err_set(err, ERR_CORRUPT, "%s: row %" PRId64 " is damaged; restore it from a copy",
                       r->store.path, sequence);
    return true;
}

static bool read_rows(struct outbox_reader *r, struct outbox_span span, struct event *events,
                      struct err *err)
{
    sqlite3_bind_int64(r->select, 1, span.from);
    sqlite3_bind_int64(r->select, 2, span.to);
    for (int64_t sequence = span.from; sequence <= span.to; sequence++) {
        bool row;
        if (!store_row(&r->store, r->select, &row, err))
            return false;
        if (!row)
            return hole(r, sequence, err);
        if (!event_columns(r, sequence, &events[sequence - span.from], err))
            return false;
    }
    return true;
}

// Only rows that the writer knows to be durable: what it will read back after a failed commit is
// nobody's business before. So each row up to `appended` must be there.
bool outbox_read(struct outbox_reader *r, int64_t after, struct event *events, size_t max,
                 size_t *n, struct err *err)
{
    const int64_t appended = atomic_load_explicit(&r->outbox->appended, memory_order_acquire);
    CHECK_INT(after, >=, 0);
    CHECK_INT(after, <=, appended);
    *n = 0;
    const int64_t left = appended - after;
    const size_t rows = (uint64_t)left < max ? (size_t)left : max;
    if (rows == 0)
        return true;
    const bool ok =
        read_rows(r, (struct outbox_span){after + 1, after + (int64_t)rows}, events, err);
    sqlite3_reset(r->select);
    if (!ok)
        return err_prefix(err, "read the outbox");
    *n = rows;
    return true;
}
