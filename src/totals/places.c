// SPDX-License-Identifier: Apache-2.0
#include "totals/places.h"

#include <inttypes.h>

#define LEARN_FIRST_MS 100
#define LEARN_MAX_MS   1600 // also for all of one time

void place_end_set(struct place *place, int64_t end, int64_t asked_mono_ns)
{
    place->end = end;
    place->asked_mono_ns = asked_mono_ns;
    lag_hear(&place->lag, (struct lag_sample){asked_mono_ns, end}, place->settled);
}

// The ledger's place against Kafka's two ends of the partition.
static int64_t begin_within(int32_t partition, int64_t ledger, int64_t first, int64_t end)
{
    if (ledger > end)
        LOG_PLACE(LOG_WARN, partition, ledger,
                  "partition %" PRId32 " ends at offset %" PRId64 " but the ledger is at %" PRId64
                  ": the topic was made anew or lost data; reading all of it, what was counted is "
                  "not counted again",
                  partition, end, ledger);
    else if (ledger >= 0 && ledger < first)
        LOG_PLACE(LOG_WARN, partition, ledger,
                  "partition %" PRId32 " begins at offset %" PRId64 " but the ledger is at %" PRId64
                  ": what is between was deleted before it was read",
                  partition, first, ledger);
    return ledger >= first && ledger <= end ? ledger : first;
}

static int patience_ms(const struct learner *l)
{
    const int64_t left_ms = (l->end_mono_ns - clock_mono_ns()) / NS_PER_MS;
    return left_ms < 0 ? 0 : left_ms < l->ms ? (int)left_ms : l->ms;
}

static bool edge_ask(const struct learner *l, int32_t partition, int64_t which, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, l->topic, partition);
    one->offset = which;
    const bool ok = rd_kafka_offsets_for_times(l->rk, list, patience_ms(l)) == 0 && one->err == 0 &&
                    one->offset >= 0;
    *offset = one->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

// False: Kafka does not tell.
static bool place_learn(const struct learner *l, struct place *place)
{
    int64_t first, end;
    const int64_t asked_mono_ns = clock_mono_ns(), ledger = place->settled;
    if (!edge_ask(l, place->partition, RD_KAFKA_OFFSET_BEGINNING, &first) ||
        !edge_ask(l, place->partition, RD_KAFKA_OFFSET_END, &end))
        return false;
    place->known = true;
    place->said = false;
    place->settled = begin_within(place->partition, ledger, first, end);
    place->probe = ledger == place->settled && ledger > first;
    place->first = first;
    place_end_set(place, end, asked_mono_ns);
    LOG_PLACE(LOG_INFO, place->partition, place->settled,
              "partition %" PRId32 ": reading from offset %" PRId64, place->partition,
              place->settled);
    return true;
}

void learner_reset(struct learner *l)
{
    l->ms = LEARN_FIRST_MS;
    l->mono_ns = 0;
}

// Less often with time, until all are known.
static void next_time_set(struct learner *l, bool all)
{
    l->mono_ns = clock_mono_ns() + l->ms * NS_PER_MS;
    l->ms = l->ms * 2 < LEARN_MAX_MS ? l->ms * 2 : LEARN_MAX_MS;
    if (all)
        learner_reset(l);
}

// A topic that was just made is often not known the first time: nothing to tell anybody.
static void unknown_log(const struct learner *l, struct place *place)
{
    if (place->known || place->said || l->ms == LEARN_FIRST_MS)
        return;
    place->said = true;
    LOG_PLACE(LOG_WARN, place->partition, place->settled,
              "partition %" PRId32 ": Kafka does not tell where it begins and ends; it is not read "
              "until then",
              place->partition);
}

// The next time begins where this one ends, so that those that keep us waiting do not always stand
// before the same others.
size_t places_learn(struct learner *l, struct place *places, size_t count)
{
    const size_t from = l->from;
    size_t learned = 0, unknown = 0;
    l->end_mono_ns = clock_mono_ns() + LEARN_MAX_MS * NS_PER_MS;
    for (size_t i = 0; i < count; i++) {
        struct place *place = &places[(from + i) % count];
        if (place->known)
            continue;
        unknown++;
        if (patience_ms(l) == 0)
            continue;
        l->from = (from + i + 1) % count;
        learned += place_learn(l, place);
        unknown_log(l, place);
    }
    next_time_set(l, learned == unknown);
    return learned;
}
