// SPDX-License-Identifier: Apache-2.0
#include "totals/positions.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#define WATERMARKS_MS 2000 // for one partition's ends; on silence we go without
#define NUDGE_MS      100
#define REPORT_NS     NS_PER_S

struct place {
    int32_t partition;
    int64_t next_offset; // in the ledger; -1: none
    int64_t expected;    // of the next event from Kafka; -1: whatever comes first
};

struct positions {
    // fixed after create
    rd_kafka_t *rk;
    const char *topic;
    struct ledger *ledger;
    // the consumer's own
    size_t hint; // where the last event's partition was found: events come in runs
    bool unreported;
    int64_t report_mono_ns; // not before
    // shared: the consumer writes under mu and reads without, others read under mu
    pthread_mutex_t mu;
    struct place *places; // owned
    size_t count;
};

struct positions *positions_create(rd_kafka_t *rk, const char *topic, struct ledger *ledger)
{
    struct positions *p = xcalloc(1, sizeof(*p));
    p->rk = rk;
    p->topic = topic;
    p->ledger = ledger;
    pthread_mutex_init(&p->mu, NULL);
    return p;
}

void positions_destroy(struct positions *p)
{
    if (p == NULL)
        return;
    pthread_mutex_destroy(&p->mu);
    free(p->places);
    free(p);
}

static void places_replace(struct positions *p, struct place *places, size_t count)
{
    pthread_mutex_lock(&p->mu);
    struct place *old = p->places;
    p->places = places;
    p->count = count;
    pthread_mutex_unlock(&p->mu);
    p->hint = 0;
    free(old);
}

static struct place *place_find(struct positions *p, int32_t partition)
{
    if (p->hint < p->count && p->places[p->hint].partition == partition)
        return &p->places[p->hint];
    for (size_t i = 0; i < p->count; i++) {
        if (p->places[i].partition == partition) {
            p->hint = i;
            return &p->places[i];
        }
    }
    return NULL;
}

// --- where to begin ---

// Kafka's two ends of the partition against the ledger's place. Without an answer from Kafka the
// place is taken as it is: out of range, librdkafka begins at the earliest by itself, and
// positions_read tells.
static int64_t begin_within(struct positions *p, const struct place *place, bool *reachable)
{
    int64_t first = 0, end = 0;
    if (*reachable)
        *reachable = rd_kafka_query_watermark_offsets(p->rk, p->topic, place->partition, &first,
                                                      &end, WATERMARKS_MS) == 0;
    if (!*reachable || (place->next_offset >= first && place->next_offset <= end))
        return place->next_offset;
    if (place->next_offset > end)
        log_warn("consumer",
                 "partition %" PRId32 " ends at offset %" PRId64 " but the ledger is at %" PRId64
                 ": the topic was made anew or lost data; reading all of it, what was counted is "
                 "not counted again",
                 place->partition, end, place->next_offset);
    else
        log_warn("consumer",
                 "partition %" PRId32 " begins at offset %" PRId64 " but the ledger is at %" PRId64
                 ": what is between was deleted before it was read",
                 place->partition, first, place->next_offset);
    return RD_KAFKA_OFFSET_BEGINNING;
}

static bool place_init(struct positions *p, struct place *place, int32_t partition, bool *reachable,
                       struct err *err)
{
    *place = (struct place){.partition = partition};
    if (!ledger_offset(p->ledger, partition, &place->next_offset, err))
        return err_prefix(err, "read the offset of partition %" PRId32, partition);
    const int64_t begin =
        place->next_offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : begin_within(p, place, reachable);
    place->expected = begin < 0 ? -1 : begin;
    return true;
}

bool positions_assign(struct positions *p, rd_kafka_topic_partition_list_t *partitions,
                      struct err *err)
{
    const size_t count = (size_t)partitions->cnt;
    struct place *places = xcalloc(count > 0 ? count : 1, sizeof(*places));
    bool ok = true, reachable = true;
    for (size_t i = 0; i < count && ok; i++) {
        rd_kafka_topic_partition_t *one = &partitions->elems[i];
        ok = place_init(p, &places[i], one->partition, &reachable, err);
        one->offset = places[i].expected < 0 ? RD_KAFKA_OFFSET_BEGINNING : places[i].expected;
    }
    const rd_kafka_resp_err_t code = ok ? rd_kafka_assign(p->rk, partitions) : 0;
    if (code != 0) {
        kafka_err(err, code, NULL);
        ok = err_prefix(err, "assign partitions");
    }
    if (!ok) {
        free(places);
        return false;
    }
    places_replace(p, places, count);
    for (size_t i = 0; i < count; i++)
        log_info("consumer", "partition %" PRId32 ": reading from offset %" PRId64,
                 places[i].partition, places[i].expected < 0 ? 0 : places[i].expected);
    return true;
}

bool positions_reread(struct positions *p, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->count);
    for (size_t i = 0; i < p->count; i++)
        rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition);
    const bool ok = positions_assign(p, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

void positions_revoke(struct positions *p)
{
    positions_report(p, true);
    rd_kafka_assign(p->rk, NULL);
    places_replace(p, NULL, 0);
}

// --- on the way ---

bool positions_is_back(struct positions *p, int32_t partition, int64_t offset)
{
    const struct place *place = place_find(p, partition);
    return place != NULL && offset < place->expected;
}

bool positions_read(struct positions *p, int32_t partition, int64_t offset)
{
    struct place *place = place_find(p, partition);
    if (place == NULL)
        return false;
    if (place->expected >= 0 && offset != place->expected)
        log_warn("consumer",
                 "partition %" PRId32 " goes on at offset %" PRId64 " instead of %" PRId64 ": %s",
                 partition, offset, place->expected,
                 offset < place->expected ? "the topic was made anew or lost data"
                                          : "what is between was deleted before it was read");
    place->expected = offset + 1;
    return true;
}

void positions_committed(struct positions *p, const struct ledger_entry *entries, size_t n)
{
    pthread_mutex_lock(&p->mu);
    for (size_t i = 0; i < n; i++) {
        struct place *place = place_find(p, entries[i].partition);
        if (place != NULL)
            place->next_offset = entries[i].offset + 1;
    }
    pthread_mutex_unlock(&p->mu);
    p->unreported = true;
}

void positions_report(struct positions *p, bool last)
{
    const int64_t now = clock_mono_ns();
    if (!p->unreported || (!last && now < p->report_mono_ns))
        return;
    p->unreported = false;
    p->report_mono_ns = now + REPORT_NS;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->count);
    for (size_t i = 0; i < p->count; i++) {
        if (p->places[i].next_offset >= 0)
            rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition)->offset =
                p->places[i].next_offset;
    }
    if (list->cnt > 0)
        (void)rd_kafka_commit(p->rk, list, true); // nothing rests on it
    rd_kafka_topic_partition_list_destroy(list);
}

// --- more is there than arrives ---

// librdkafka hears of a partition's end with every fetch.
static int64_t end_of(struct positions *p, int32_t partition)
{
    int64_t first = -1, end = -1;
    if (rd_kafka_get_watermark_offsets(p->rk, p->topic, partition, &first, &end) != 0)
        return -1;
    return end < 0 ? -1 : end;
}

bool positions_behind(struct positions *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->places[i].expected >= 0 && p->places[i].expected < end_of(p, p->places[i].partition))
            return true;
    }
    return false;
}

void positions_nudge(struct positions *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->count);
    for (size_t i = 0; i < p->count; i++)
        rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition)->offset =
            RD_KAFKA_OFFSET_END;
    (void)rd_kafka_offsets_for_times(p->rk, list, NUDGE_MS); // it is the asking that counts
    rd_kafka_topic_partition_list_destroy(list);
}

// --- for others ---

size_t positions_list(struct positions *p, struct consumer_partition **list)
{
    pthread_mutex_lock(&p->mu);
    const size_t count = p->count;
    *list = xcalloc(count > 0 ? count : 1, sizeof(**list));
    for (size_t i = 0; i < count; i++)
        (*list)[i] = (struct consumer_partition){.partition = p->places[i].partition,
                                                 .next_offset = p->places[i].next_offset};
    pthread_mutex_unlock(&p->mu);
    for (size_t i = 0; i < count; i++) {
        struct consumer_partition *one = &(*list)[i];
        one->end_offset = end_of(p, one->partition);
    }
    return count;
}
