// SPDX-License-Identifier: Apache-2.0
// The ledger under random histories: a log like Kafka's with duplicates, holes and late events,
// read in batches of any size, with rollbacks, restarts and rewinds, against the model.
#include "totals/ledger.h"

#include "ledger_rig.h"
#include "model.h"
#include "random.h"

#include <string.h>

#define PARTITIONS    4
#define SOURCES       6
#define LOG_EVENTS    30000 // a partition
#define SEQUENCES_MAX (2 * LOG_EVENTS * PARTITIONS / SOURCES)
#define BATCH_MAX     400
#define RECENT        100 // how far back late events are

static uint64_t seed;

struct history {
    uint64_t random;
    struct ledger_entry *log[PARTITIONS]; // owned; offsets from 0
    int64_t sent[SOURCES];                // the highest sequence in the logs
    int64_t next[PARTITIONS];             // what the consumer reads next
    int64_t committed[PARTITIONS];        // the ledger's next offsets
    struct model models[SOURCES];
    int64_t dead_letters, rewinds;
};

// A source sends to one partition, sometimes skips some, sends an old one or something foreign.
static struct ledger_entry make_entry(struct history *h, int32_t partition, int64_t offset)
{
    const int64_t source = partition + PARTITIONS * random_below(&h->random, 2);
    const int number = (int)(source < SOURCES ? source : partition);
    const int64_t recent = h->sent[number] < RECENT ? h->sent[number] : RECENT;
    int64_t sequence;
    if (random_percent(&h->random, 1))
        return rig_dead_letter(partition, offset);
    if (random_percent(&h->random, 15) && h->sent[number] > 0)
        sequence = h->sent[number] - random_below(&h->random, recent);
    else
        sequence = h->sent[number] +=
            random_percent(&h->random, 3) ? 2 + random_below(&h->random, 8) : 1;
    return rig_event(partition, offset, number, sequence, (int64_t)random_next(&h->random));
}

static struct history history_create(void)
{
    struct history h = {.random = seed};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        h.log[p] = xcalloc(LOG_EVENTS, sizeof(struct ledger_entry));
        for (int64_t i = 0; i < LOG_EVENTS; i++)
            h.log[p][i] = make_entry(&h, p, i);
    }
    for (int i = 0; i < SOURCES; i++)
        h.models[i] = model_create(SEQUENCES_MAX);
    return h;
}

static void history_clear(struct history *h)
{
    for (int p = 0; p < PARTITIONS; p++)
        free(h->log[p]);
    for (int i = 0; i < SOURCES; i++)
        free(h->models[i].seen);
}

// A partition with something to read, beginning the search anywhere; PARTITIONS: none has.
static int64_t choose_partition(struct history *h, const int64_t *next)
{
    const int64_t first = random_below(&h->random, PARTITIONS);
    for (int64_t i = 0; i < PARTITIONS; i++) {
        if (next[(first + i) % PARTITIONS] < LOG_EVENTS)
            return (first + i) % PARTITIONS;
    }
    return PARTITIONS;
}

// The next events of randomly chosen partitions; 0: all is read.
static size_t take_batch(struct history *h, struct ledger_entry *batch, int64_t *next)
{
    const size_t size = (size_t)random_below(&h->random, BATCH_MAX) + 1;
    size_t n = 0;
    memcpy(next, h->next, sizeof(h->next));
    while (n < size) {
        const int64_t p = choose_partition(h, next);
        if (p == PARTITIONS)
            break;
        batch[n++] = h->log[p][next[p]++];
    }
    return n;
}

static int source_number(const struct uuid *id)
{
    return (int)strtol(id->text, NULL, 16);
}

// The batch is committed: the model must have judged each entry alike.
static void follow_batch(struct history *h, const struct ledger_entry *batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct event *event = &batch[i].event;
        if (batch[i].dead_letter) {
            h->dead_letters++;
            continue;
        }
        struct model *model = &h->models[source_number(&event->source)];
        const enum apply_verdict wanted = model_apply(model, event->sequence, event->sum);
        EXPECT(batch[i].verdict == wanted, "seed %" PRIu64 ": %s/%lld: verdict %d, wanted %d", seed,
               event->source.text, (long long)event->sequence, batch[i].verdict, wanted);
        h->dead_letters += wanted == APPLY_REFUSED;
    }
}

static void check_sources(struct rig *rig, const struct history *h)
{
    struct ledger_source *list;
    const size_t n = ledger_sources(rig->ledger, &list);
    for (size_t i = 0; i < n; i++) {
        const struct model *model = &h->models[source_number(&list[i].source)];
        EXPECT(list[i].count == model->count && list[i].sum == model->sum &&
                   list[i].duplicates == model->duplicates && list[i].highest == model->highest,
               "seed %" PRIu64 ": source %s: count %lld, wanted %lld", seed, list[i].source.text,
               (long long)list[i].count, (long long)model->count);
        model_check_ranges(model, list[i].missing, list[i].missing_count);
    }
    ledger_sources_free(list, n);
}

static void check_total(struct rig *rig, const struct history *h)
{
    const struct ledger_total total = rig_total(rig);
    struct ledger_total wanted = {.dead_letters = h->dead_letters};
    for (int i = 0; i < SOURCES; i++) {
        const struct model *model = &h->models[i];
        wanted.count += model->count;
        wanted.sum += model->sum;
        wanted.duplicates += model->duplicates;
        wanted.missing += model->highest - model->count;
        wanted.sources += model->count > 0;
    }
    EXPECT(total.count == wanted.count && total.sum == wanted.sum &&
               total.duplicates == wanted.duplicates && total.missing == wanted.missing &&
               total.sources == wanted.sources && total.dead_letters == wanted.dead_letters,
           "seed %" PRIu64 ": count %lld, wanted %lld", seed, (long long)total.count,
           (long long)wanted.count);
}

static void restart(struct rig *rig, struct history *h)
{
    rig_reopen(rig);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const int64_t offset = rig_offset(rig, p);
        assert_int_equal(h->committed[p], offset < 0 ? 0 : offset);
        h->next[p] = h->committed[p];
    }
    check_sources(rig, h);
    check_total(rig, h);
}

// The topic was made anew, or the offset was out of range: reading begins at an earlier one.
static void rewind_one(struct history *h)
{
    const int64_t p = random_below(&h->random, PARTITIONS);
    h->next[p] = random_below(&h->random, h->next[p] + 1);
    h->rewinds++;
}

static bool step(struct rig *rig, struct history *h)
{
    static struct ledger_entry batch[BATCH_MAX];
    int64_t next[PARTITIONS];
    const size_t n = take_batch(h, batch, next);
    if (n == 0)
        return false;
    rig_stage(rig, batch, n);
    if (random_percent(&h->random, 5)) {
        ledger_rollback(rig->ledger);
        return true;
    }
    if (random_percent(&h->random, 3)) { // dies with the transaction open
        restart(rig, h);
        return true;
    }
    struct err err = {.text = ""};
    EXPECT(ledger_commit(rig->ledger, &err), "%s", err.text);
    follow_batch(h, batch, n);
    memcpy(h->next, next, sizeof(next));
    for (size_t i = 0; i < n; i++)
        h->committed[batch[i].partition] = batch[i].offset + 1;
    if (random_below(&h->random, 100) == 0)
        rewind_one(h);
    return true;
}

static void a_random_history_with_restarts_agrees_with_the_model(void **state)
{
    struct rig *rig = *state;
    struct history h = history_create();
    while (step(rig, &h))
        ;
    restart(rig, &h);
    const struct ledger_total total = rig_total(rig);
    printf("# %lld new, %lld duplicates, %lld missing, %lld dead letters, %lld commits, "
           "%lld rewinds\n",
           (long long)total.count, (long long)total.duplicates, (long long)total.missing,
           (long long)total.dead_letters, (long long)total.version, (long long)h.rewinds);
    history_clear(&h);
}

int main(int argc, char **argv)
{
    seed = random_seed(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_random_history_with_restarts_agrees_with_the_model,
                                        rig_set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
