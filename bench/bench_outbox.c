// SPDX-License-Identifier: Apache-2.0
// How many rows a second the outbox commits, by batch size: what group commit buys. Each batch is
// one durable transaction, as in the adder's writer. Prints one line `batch rows_per_s` for each.
//
//   bench_outbox DIR    the outbox files are made there, and removed
#include "adder/outbox.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEASURE_NS (1 * NS_PER_S)
#define TEND_EVERY 64 // batches; the adder tends its outbox now and then under load too

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char *name = xasprintf("%s%s", path, suffixes[i]);
        unlink(name); // most are not there
        free(name);
    }
}

static bool append_batch(struct outbox *outbox, size_t size, struct err *err)
{
    static struct add rows[OUTBOX_BATCH_MAX];
    static struct add *adds[OUTBOX_BATCH_MAX];
    for (size_t i = 0; i < size; i++) {
        rows[i] = (struct add){.a = 2, .b = 3, .sum = 5, .accepted_unix_us = clock_unix_us()};
        adds[i] = &rows[i];
    }
    if (!outbox_append(outbox, adds, size, err))
        return false;
    outbox_published_set(outbox, rows[size - 1].sequence);
    return true;
}

static bool measure(const char *path, size_t size, double *rows_per_s, struct err *err)
{
    const struct outbox_config config = {
        .path = path, .retention_rows = 100000, .retention_s = 3600};
    struct outbox *outbox;
    if (!outbox_open(&outbox, &config, err))
        return false;
    const int64_t start = clock_mono_ns();
    int64_t rows = 0, now = start;
    bool ok = true, more;
    for (int batch = 1; ok && now - start < MEASURE_NS; batch++, now = clock_mono_ns()) {
        ok = append_batch(outbox, size, err);
        rows += (int64_t)size;
        if (ok && batch % TEND_EVERY == 0)
            ok = outbox_tend(outbox, &more, err);
    }
    *rows_per_s = (double)rows * (double)NS_PER_S / (double)(now - start);
    outbox_close(outbox);
    return ok;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1, 16, 128, 512, OUTBOX_BATCH_MAX};
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    char *path = xasprintf("%s/bench-outbox-%d.db", argv[1], (int)getpid());
    struct err err;
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT_OF(sizes); i++) {
        double rows_per_s;
        ok = measure(path, sizes[i], &rows_per_s, &err);
        if (ok)
            printf("%zu %.0f\n", sizes[i], rows_per_s);
        else
            fprintf(stderr, "%s: %s\n", argv[0], err.text);
        remove_files(path);
    }
    free(path);
    return ok ? 0 : 1;
}
