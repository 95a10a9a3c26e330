// SPDX-License-Identifier: Apache-2.0
#include "totals/positions.h"

#include "totals/places.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NUDGE_MS  100
#define SEEK_MS   2000
#define ENDS_MS   1000
#define ENDS_NS   NS_PER_S
#define REPORT_NS NS_PER_S
#define JUMP_NS   (10 * NS_PER_S)

struct positions {
    // fixed after create
    const char *topic;
    struct ledger *ledger;
    // the consumer's own
    size_t hint; // where the last event's partition was found: events come in runs
    bool unreported;
    int64_t report_mono_ns; // not before
    int64_t ask_mono_ns;    // likewise
    int64_t jump_mono_ns;   // likewise, to be logged
    int64_t jumps_unsaid;
    struct learner learner;
    // shared: the consumer writes under mu and reads without, others read under mu
    pthread_mutex_t mu;
    rd_kafka_t *rk;       // borrowed; NULL: only while there are no places
    struct place *places; // owned
    size_t count;
};

struct positions *positions_create(rd_kafka_t *rk, const char *topic, struct ledger *ledger)
{
    struct positions *p = xcalloc(1, sizeof(*p));
    p->rk = rk;
    p->topic = topic;
    p->learner = (struct learner){.rk = rk, .topic = topic};
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

void positions_client_set(struct positions *p, rd_kafka_t *rk)
{
    places_replace(p, NULL, 0);
    p->learner.rk = rk;
    pthread_mutex_lock(&p->mu);
    p->rk = rk;
    pthread_mutex_unlock(&p->mu);
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

// Reads the places that are known, and takes all of them over; on failure it frees them.
static bool places_read(struct positions *p, struct place *places, size_t count, struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        places[i].expected = places[i].settled;
        if (places[i].known)
            rd_kafka_topic_partition_list_add(list, p->topic, places[i].partition)->offset =
                places[i].expected - places[i].probe;
    }
    const rd_kafka_resp_err_t code = rd_kafka_assign(p->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != 0) {
        free(places);
        kafka_err(err, code, NULL);
        return err_prefix(err, "assign partitions");
    }
    places_replace(p, places, count);
    return true;
}

static bool places_load(struct positions *p, const rd_kafka_topic_partition_list_t *partitions,
                        struct place *places, struct err *err)
{
    for (int i = 0; i < partitions->cnt; i++) {
        const int32_t partition = partitions->elems[i].partition;
        places[i] = (struct place){.partition = partition, .end = -1};
        if (!ledger_offset(p->ledger, partition, &places[i].settled, err))
            return err_prefix(err, "read the offset of partition %" PRId32, partition);
    }
    return true;
}

bool positions_assign(struct positions *p, const rd_kafka_topic_partition_list_t *partitions,
                      struct err *err)
{
    const size_t count = (size_t)partitions->cnt;
    struct place *places = xcalloc(count > 0 ? count : 1, sizeof(*places));
    if (!places_load(p, partitions, places, err)) {
        free(places);
        return false;
    }
    learner_reset(&p->learner);
    places_learn(&p->learner, places, count);
    return places_read(p, places, count, err);
}

bool positions_reread(struct positions *p, struct err *err)
{
    if (p->count == 0)
        return true;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->count);
    for (size_t i = 0; i < p->count; i++)
        rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition);
    const bool ok = positions_assign(p, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

bool positions_unknown(struct positions *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!p->places[i].known)
            return true;
    }
    return false;
}

bool positions_known(struct positions *p)
{
    return p->count > 0 && !positions_unknown(p);
}

bool positions_learn(struct positions *p, bool *again, struct err *err)
{
    *again = false;
    if (!positions_unknown(p) || clock_mono_ns() < p->learner.mono_ns)
        return true;
    struct place *places = xcalloc(p->count, sizeof(*places));
    memcpy(places, p->places, p->count * sizeof(*places));
    *again = places_learn(&p->learner, places, p->count) > 0;
    if (*again)
        return places_read(p, places, p->count, err);
    places_replace(p, places, p->count);
    return true;
}

void positions_revoke(struct positions *p)
{
    positions_report(p, true);
    rd_kafka_assign(p->rk, NULL);
    places_replace(p, NULL, 0);
}

// --- on the way ---

bool positions_is_probe(struct positions *p, int32_t partition, int64_t offset)
{
    struct place *place = place_find(p, partition);
    if (place == NULL || !place->known || !place->probe)
        return false;
    place->probe = false;
    return offset == place->expected - 1; // else it is gone, and there is nothing to compare
}

void positions_restart(struct positions *p, int32_t partition)
{
    struct place *place = place_find(p, partition);
    CHECK(place != NULL);
    LOG_PLACE(LOG_WARN, partition, place->expected,
              "partition %" PRId32 " has another event before offset %" PRId64
              " than the ledger counted: the topic was made anew; reading all of it, what was "
              "counted is not counted again",
              partition, place->expected);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(p->rk, p->topic, NULL);
    const rd_kafka_resp_err_t code = rd_kafka_seek(topic, partition, place->first, SEEK_MS);
    rd_kafka_topic_destroy(topic);
    if (code != 0)
        LOG_PLACE(LOG_ERROR, partition, place->first,
                  "seek in partition %" PRId32 ": %s; looking at it again", partition,
                  rd_kafka_err2str(code));
    pthread_mutex_lock(&p->mu);
    place->known = code == 0; // else it is read from where it was
    if (place->known)
        place->expected = place->settled = place->first;
    pthread_mutex_unlock(&p->mu);
}

bool positions_is_back(struct positions *p, int32_t partition, int64_t offset)
{
    const struct place *place = place_find(p, partition);
    return place != NULL && offset < place->expected;
}

// A topic that is compacted, or written by transactions (each ends with a mark that takes an
// offset), has a jump every few events: those are not worth a line each.
static void jump_log(struct positions *p, const struct place *place, int64_t offset)
{
    const int64_t now = clock_mono_ns();
    const bool back = offset < place->expected;
    if (!back && now < p->jump_mono_ns) {
        p->jumps_unsaid++;
        return;
    }
    LOG_PLACE(LOG_WARN, place->partition, offset,
              "partition %" PRId32 " goes on at offset %" PRId64 " instead of %" PRId64
              ": %s (%" PRId64 " more jumps before)",
              place->partition, offset, place->expected,
              back ? "the topic was made anew or lost data"
                   : "what is between was deleted, or is no message",
              p->jumps_unsaid);
    p->jump_mono_ns = now + JUMP_NS;
    p->jumps_unsaid = 0;
}

bool positions_read(struct positions *p, int32_t partition, int64_t offset)
{
    struct place *place = place_find(p, partition);
    if (place == NULL || !place->known)
        return false;
    if (offset != place->expected)
        jump_log(p, place, offset);
    place->expected = offset + 1;
    return true;
}

void positions_committed(struct positions *p, const struct ledger_entry *entries, size_t n)
{
    pthread_mutex_lock(&p->mu);
    for (size_t i = 0; i < n; i++) {
        struct place *place = place_find(p, entries[i].partition);
        if (place != NULL)
            place->settled = entries[i].offset + 1;
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
        if (p->places[i].settled >= 0)
            rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition)->offset =
                p->places[i].settled;
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
        if (p->places[i].known && p->places[i].expected < end_of(p, p->places[i].partition))
            return true;
    }
    return false;
}

// Below what was read is the end of another topic of the same name: the place is to be found anew.
static void end_take(struct place *place, const rd_kafka_topic_partition_t *said,
                     int64_t asked_mono_ns)
{
    if (said->err != 0 || said->offset < 0)
        return;
    place->known = said->offset >= place->expected;
    if (place->known) {
        place_end_set(place, said->offset, asked_mono_ns);
        return;
    }
    place->end = -1;
    place->said = true;
    LOG_PLACE(LOG_WARN, place->partition, said->offset,
              "partition %" PRId32 " ends at offset %" PRId64 ", but it was read up to %" PRId64
              ": the topic was made anew or lost data; it is not read until it is looked at again",
              place->partition, said->offset, place->expected);
}

// Of those that are known only: the leaders of all have to be there before any is asked.
static rd_kafka_topic_partition_list_t *ends_list(const struct positions *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)p->count);
    for (size_t i = 0; i < p->count; i++) {
        if (p->places[i].known)
            rd_kafka_topic_partition_list_add(list, p->topic, p->places[i].partition)->offset =
                RD_KAFKA_OFFSET_END;
    }
    return list;
}

static void ends_ask(struct positions *p, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = ends_list(p);
    const int64_t asked_mono_ns = clock_mono_ns();
    if (list->cnt > 0 && rd_kafka_offsets_for_times(p->rk, list, timeout_ms) == 0) {
        pthread_mutex_lock(&p->mu);
        for (int i = 0; i < list->cnt; i++)
            end_take(place_find(p, list->elems[i].partition), &list->elems[i], asked_mono_ns);
        pthread_mutex_unlock(&p->mu);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void positions_nudge(struct positions *p)
{
    ends_ask(p, NUDGE_MS);
}

void positions_ask_ends(struct positions *p)
{
    if (p->count == 0 || clock_mono_ns() < p->ask_mono_ns)
        return;
    ends_ask(p, ENDS_MS);
    p->ask_mono_ns = clock_mono_ns() + ENDS_NS;
}

// --- for others ---

// What came with a fetch since is newer, but it may also be of before.
static void tell_end(struct positions *p, const struct place *place, struct consumer_partition *out)
{
    const int64_t heard = end_of(p, place->partition);
    const struct lag_sample now = {clock_mono_ns(), heard > place->end ? heard : place->end};
    out->end_offset = now.end_offset;
    out->end_age_ms = (now.mono_ns - place->asked_mono_ns) / NS_PER_MS + 1;
    out->lag_ns = place->settled < 0 ? -1 : lag_ns(&place->lag, now, place->settled);
}

size_t positions_list(struct positions *p, struct consumer_partition **list)
{
    pthread_mutex_lock(&p->mu);
    const size_t count = p->count;
    *list = xcalloc(count > 0 ? count : 1, sizeof(**list));
    for (size_t i = 0; i < count; i++) {
        const struct place *place = &p->places[i];
        (*list)[i] = (struct consumer_partition){.partition = place->partition,
                                                 .settled_offset = place->settled,
                                                 .end_offset = -1,
                                                 .end_age_ms = -1,
                                                 .lag_ns = -1};
        if (place->end >= 0)
            tell_end(p, place, &(*list)[i]);
    }
    pthread_mutex_unlock(&p->mu);
    return count;
}
