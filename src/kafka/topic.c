// SPDX-License-Identifier: Apache-2.0
#include "kafka/client.h"

#include "base/clock.h"

#include <poll.h>
#include <string.h>

// Between two looks at a topic that is being made: it takes a broker some ten milliseconds.
#define PAUSE_FIRST_MS 10
#define PAUSE_MAX_MS   500

struct search {
    rd_kafka_t *rk;
    const struct kafka_topic *topic;
    int64_t end_mono_ns;
};

static int left_ms(const struct search *s)
{
    const int64_t left = (s->end_mono_ns - clock_mono_ns()) / NS_PER_MS;
    return left > 1 ? (int)left : 1;
}

// --- find ---
static bool read_topic(const rd_kafka_metadata_t *metadata, int32_t *partitions, struct err *err)
{
    if (metadata->topic_cnt != 1)
        return kafka_err(err, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, NULL);
    const rd_kafka_metadata_topic_t *topic = &metadata->topics[0];
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_err(err, topic->err, NULL);
    // One without a leader counts too: what is in the others need not wait for it.
    *partitions = topic->partition_cnt;
    return topic->partition_cnt > 0 || kafka_err(err, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, NULL);
}

// ERR_NOT_FOUND: the brokers do not know the topic.
static bool find(rd_kafka_t *rk, const struct search *s, int32_t *partitions, struct err *err)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, s->topic->name, NULL);
    if (topic == NULL)
        return kafka_err(err, rd_kafka_last_error(), NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, topic, &metadata, left_ms(s));
    const bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR ? read_topic(metadata, partitions, err)
                                                       : kafka_err(err, code, NULL);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return ok;
}

// --- create ---
static rd_kafka_resp_err_t result_of(rd_kafka_event_t *event, const char **text)
{
    *text = NULL;
    if (event == NULL)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *text = rd_kafka_event_error_string(event);
        return rd_kafka_event_error(event);
    }
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    *text = rd_kafka_topic_result_error_string(results[0]);
    return rd_kafka_topic_result_error(results[0]);
}

static rd_kafka_resp_err_t request_creation(const struct search *s, rd_kafka_NewTopic_t *topic,
                                            struct err *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(s->rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(s->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char ignored[ERR_TEXT_MAX];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, left_ms(s), ignored, sizeof(ignored));
    rd_kafka_CreateTopics(s->rk, &topic, 1, options, queue);
    // The request ends by its own timeout; this one only has to be longer.
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms(s) + PAUSE_MAX_MS);
    const char *text;
    const rd_kafka_resp_err_t code = result_of(event, &text);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_err(err, code, text);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return code;
}

// librdkafka's mock broker cannot create topics on request, but makes one that is asked for, if the
// client allows it. That is decided when a client is made, and ours does not: it takes another one.
static bool ask_and_allow_creation(const struct search *s, struct err *err)
{
    char text[ERR_TEXT_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(rd_kafka_conf(s->rk));
    const rd_kafka_conf_res_t set =
        rd_kafka_conf_set(conf, "allow.auto.create.topics", "true", text, sizeof(text));
    CHECK_INT(set, ==, RD_KAFKA_CONF_OK);
    rd_kafka_t *rk;
    if (!kafka_new(&rk, rd_kafka_type(s->rk), conf, err))
        return false;
    int32_t partitions;
    const bool ok = find(rk, s, &partitions, err);
    rd_kafka_destroy(rk);
    return ok || err->code == ERR_UNAVAILABLE; // no leader yet
}

// A message's timestamp is to say when Kafka had it: when its sum was added is in the event.
static bool create(const struct search *s, struct err *err)
{
    char text[ERR_TEXT_MAX] = "";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(s->topic->name, s->topic->partitions,
                                                       s->topic->replication, text, sizeof(text));
    if (topic == NULL)
        return err_set(err, ERR_USAGE, "%s", text);
    const rd_kafka_resp_err_t timestamps =
        rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
    CHECK_INT(timestamps, ==, RD_KAFKA_RESP_ERR_NO_ERROR);
    const rd_kafka_resp_err_t code = request_creation(s, topic, err);
    rd_kafka_NewTopic_destroy(topic);
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: // another replica was faster
        return true;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return ask_and_allow_creation(s, err);
    default:
        return false;
    }
}

bool kafka_topic_ensure(rd_kafka_t *rk, const struct kafka_topic *topic, int timeout_ms,
                        int32_t *partitions, struct err *err)
{
    CHECK_INT(timeout_ms, >=, 1);
    const struct search s = {rk, topic, clock_mono_ns() + timeout_ms * NS_PER_MS};
    bool created = false;
    for (int pause_ms = PAUSE_FIRST_MS;; pause_ms *= 2) {
        struct err cause;
        if (find(rk, &s, partitions, &cause))
            return true;
        bool again = cause.code == ERR_UNAVAILABLE || (created && cause.code == ERR_NOT_FOUND);
        if (!created && cause.code == ERR_NOT_FOUND)
            again = created = create(&s, &cause);
        if (pause_ms > PAUSE_MAX_MS)
            pause_ms = PAUSE_MAX_MS;
        if (!again || left_ms(&s) <= pause_ms) {
            *err = cause;
            err->code = again ? ERR_UNAVAILABLE : cause.code;
            return err_prefix(err, "topic %s", topic->name);
        }
        (void)poll(NULL, 0, pause_ms);
    }
}
