// SPDX-License-Identifier: Apache-2.0
// What an event costs the consumer in the ledger, by batch size, and a reader the total: one line
// `WHAT NS` each. Every batch is one durable transaction, so small ones cost a sync of the disk; in
// memory (DIR is a tmpfs) there is no sync and what is left is our own work.
//
//   bench_ledger DIR    the ledger's files are made there, and removed
#include "base/clock.h"
#include "totals/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEASURE_NS  (1 * NS_PER_S)
#define READS       1000000
#define SOURCES_MAX 4096

struct load {
    const char *what;
    size_t batch, sources;
};

static const struct load loads[] = {
    {"batches of 1", 1, 1},
    {"batches of 16", 16, 1},
    {"batches of 512", 512, 1},
    {"batches of 4096", LEDGER_BATCH_MAX, 1},
    {"batches of 512 from 512 sources", 512, 512},
    {"batches of 4096 from 1000 sources", LEDGER_BATCH_MAX, 1000},
};

static struct uuid ids[SOURCES_MAX];

static bool commit_batch(struct ledger *ledger, const struct load *load, int64_t offset,
                         struct err *err)
{
    static struct ledger_entry entries[LEDGER_BATCH_MAX];
    for (size_t i = 0; i < load->batch; i++, offset++) {
        entries[i].offset = offset;
        entries[i].event = (struct event){.source = ids[(size_t)offset % load->sources],
                                          .sequence = offset / (int64_t)load->sources + 1,
                                          .sum = 5};
    }
    return ledger_stage(ledger, entries, load->batch, err) && ledger_commit(ledger, err);
}

static bool measure_commits(struct ledger *ledger, const struct load *load, struct err *err)
{
    const int64_t start = clock_mono_ns();
    int64_t events = 0, now = start;
    for (; now - start < MEASURE_NS; now = clock_mono_ns()) {
        if (!commit_batch(ledger, load, events, err))
            return false;
        events += (int64_t)load->batch;
    }
    printf("%s %.1f\n", load->what, (double)(now - start) / (double)events);
    return true;
}

static void measure_reads(struct ledger *ledger)
{
    const int64_t start = clock_mono_ns();
    struct ledger_total total;
    for (int i = 0; i < READS; i++)
        ledger_total(ledger, &total);
    printf("read of the total %.1f\n", (double)(clock_mono_ns() - start) / READS);
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char *name = xasprintf("%s%s", path, suffixes[i]);
        unlink(name); // most are not there
        free(name);
    }
}

static bool measure(const char *path, const struct load *load, struct err *err)
{
    struct ledger *ledger;
    if (!ledger_open(&ledger, path, err))
        return false;
    for (size_t i = 0; i < load->sources; i++)
        ids[i] = uuid_random();
    const bool ok = measure_commits(ledger, load, err);
    if (ok && load == &loads[COUNT_OF(loads) - 1])
        measure_reads(ledger);
    ledger_close(ledger);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    char *path = xasprintf("%s/bench-ledger-%d.db", argv[1], (int)getpid());
    struct err err;
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT_OF(loads); i++) {
        ok = measure(path, &loads[i], &err);
        if (!ok)
            fprintf(stderr, "%s: %s\n", argv[0], err.text);
        remove_files(path);
    }
    free(path);
    return ok ? 0 : 1;
}
