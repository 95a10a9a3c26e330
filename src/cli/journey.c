// SPDX-License-Identifier: Apache-2.0
// abacus-cli journey: one event on its way: finds it in the topic by its name (source, sequence),
// prints it as Kafka holds it, then says what the ledger made of it.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/int128.h"
#include "base/log.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "cli/http_get.h"
#include "cli/services.h"
#include "event/event.h"
#include "kafka/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS          100
#define TOPIC_LENGTH_MAX 249 // Kafka's own limit

struct journey_config {
    const char *source, *totals, *kafka_bootstrap_servers, *kafka_topic;
    struct option_list kafka_properties;
    int64_t sequence, timeout_ms;
};

#define FIELD(name) .offset = offsetof(struct journey_config, name)
static const struct option table[] = {
    {"source", OPTION_TEXT, FIELD(source), .unit = "UUID",
     .text = "The outbox that the sum is in: `abacus-cli add` says which."},
    {"sequence", OPTION_INT, FIELD(sequence), "1", 1, INT64_MAX, .text = "Its place there."},
    {"kafka-bootstrap-servers", OPTION_TEXT, FIELD(kafka_bootstrap_servers), "127.0.0.1:9092",
     .text = "Kafka brokers, HOST:PORT separated by commas."},
    {"kafka-topic", OPTION_TEXT, FIELD(kafka_topic), "abacus.sums", .text = "Where events go."},
    {"kafka-property", OPTION_LIST, FIELD(kafka_properties), .unit = "KEY=VALUE",
     .text = "Any librdkafka property, e.g. security.protocol=SASL_SSL; may be repeated."},
    {"totals", OPTION_TEXT, FIELD(totals), TOTALS_DEFAULT, .unit = "URL",
     .text = "Where totals serves its REST API."},
    {"timeout-ms", OPTION_INT, FIELD(timeout_ms), "10000", 1, INT32_MAX, .unit = "MS",
     .text = "How long the topic is searched, from its beginning."},
};

static const struct options_usage usage = {
    .program = "abacus-cli journey",
    .synopsis = "--source UUID --sequence N [OPTION]...",
    .purpose = "Shows one event as Kafka holds it, and what the ledger made of it.\n"
               "Exit code 0: found in Kafka; 1: not found; 2: wrong arguments.",
};

// --- in Kafka ---
// A reader without a group: it leaves no trace in Kafka and starts at the beginning.
static bool reader_create(const struct journey_config *config, rd_kafka_t **out, struct err *err)
{
    static const struct kafka_property fixed[] = {
        {"group.id", "abacus-cli-journey"}, // asked for by librdkafka; nothing is committed
        {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "earliest"},
    };
    const struct kafka_config kafka = {config->kafka_bootstrap_servers, &config->kafka_properties};
    const struct kafka_client client = {.id = "abacus-cli", .fixed = KAFKA_PROPERTIES(fixed)};
    rd_kafka_conf_t *conf;
    return kafka_conf_create(&conf, &kafka, &client, err) &&
           kafka_new(out, RD_KAFKA_CONSUMER, conf, err);
}

// Reads every partition of the topic from its beginning. *partitions: how many.
static bool topic_open(rd_kafka_t *rk, const struct journey_config *config, int *partitions,
                       struct err *err)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, config->kafka_topic, NULL);
    CHECK(topic != NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(rk, 0, topic, &metadata, (int)config->timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_err(err, code, NULL);
    *partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (*partitions == 0)
        return err_set(err, ERR_NOT_FOUND, "there is no topic %s", config->kafka_topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(*partitions);
    for (int i = 0; i < *partitions; i++)
        rd_kafka_topic_partition_list_add(list, config->kafka_topic, i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    const rd_kafka_resp_err_t assigned = rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return assigned == RD_KAFKA_RESP_ERR_NO_ERROR || kafka_err(err, assigned, NULL);
}

static bool is_wanted(const rd_kafka_message_t *message, const struct uuid *source,
                      int64_t sequence, struct event *event)
{
    rd_kafka_headers_t *headers = NULL;
    (void)rd_kafka_message_headers(message, &headers); // none: no event of ours
    const struct event_message bytes = {message->key, message->payload, message->key_len,
                                        message->len, headers};
    struct err stranger;
    return event_decode(&bytes, event, &stranger) && uuid_equal(&event->source, source) &&
           event->sequence == sequence;
}

static void print_bytes(const char *what, const void *bytes, size_t length)
{
    struct bytes line = {0};
    bytes_append_printable(&line, what, strlen(what));
    bytes_append_printable(&line, bytes, length);
    printf("        %s\n", (const char *)line.data);
    bytes_clear(&line);
}

static void print_header(const char *name, const void *value, size_t length)
{
    char *what = xasprintf("header %s: ", name);
    print_bytes(what, value, length);
    free(what);
}

static void print_message(const rd_kafka_message_t *message)
{
    printf("kafka   topic %s, partition %" PRId32 ", offset %" PRId64 "\n",
           rd_kafka_topic_name(message->rkt), message->partition, message->offset);
    print_bytes("key    ", message->key, message->key_len);
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t length;
    (void)rd_kafka_message_headers(message, &headers);
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++)
        print_header(name, value, length);
    print_bytes("value  ", message->payload, message->len);
}

// A partition that goes on growing has its end reached again and again.
static int first_end(bool *ended, int32_t partition)
{
    const bool again = ended[partition];
    ended[partition] = true;
    return again ? 0 : 1;
}

// Until it is found, every partition's end was reached, or the time is over.
static bool topic_search(rd_kafka_t *rk, const struct journey_config *config,
                         const struct uuid *source, int partitions, struct err *err)
{
    const int64_t end_mono_ns = clock_mono_ns() + config->timeout_ms * NS_PER_MS;
    bool found = false, *ended = xcalloc((size_t)partitions, sizeof(*ended));
    while (!found && partitions > 0 && clock_mono_ns() < end_mono_ns && !stop_requested()) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, POLL_MS);
        if (message == NULL)
            continue;
        struct event event;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            partitions -= first_end(ended, message->partition);
        else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            found = is_wanted(message, source, config->sequence, &event);
        if (found)
            print_message(message);
        rd_kafka_message_destroy(message);
    }
    free(ended);
    return found || err_set(err, ERR_NOT_FOUND, "%s/%" PRId64 " is not in topic %s%s", source->text,
                            config->sequence, config->kafka_topic,
                            partitions > 0 ? " as far as it could be read in time" : "");
}

// --- in the ledger ---
static const char *ledger_says(const json_t *document, int64_t sequence)
{
    size_t index;
    const json_t *range;
    json_array_foreach(json_object_get(document, "missing"), index, range) {
        const char *first = json_string_value(json_object_get(range, "first"));
        const char *last = json_string_value(json_object_get(range, "last"));
        int64_t from, to;
        if (first != NULL && last != NULL && int64_parse(first, strlen(first), &from) &&
            int64_parse(last, strlen(last), &to) && sequence >= from && sequence <= to)
            return "missing";
    }
    const char *text = json_string_value(json_object_get(document, "highest"));
    int64_t highest;
    if (text == NULL || !int64_parse(text, strlen(text), &highest))
        return "unknown";
    return sequence <= highest ? "counted" : "not counted yet";
}

static void print_position(const struct journey_config *config, const struct uuid *source)
{
    char *path = xasprintf("/v1/sources/%s", source->text);
    char *url = url_join(config->totals, path);
    json_t *document;
    struct err err;
    if (!http_get_json(&document, url, config->timeout_ms, &err)) {
        printf("ledger  %s\n", err.code == ERR_NOT_FOUND ? "not counted yet" : err.text);
    } else {
        char *text = json_dumps(document, JSON_COMPACT);
        printf("ledger  sequence %" PRId64 ": %s\n        %s\n", config->sequence,
               ledger_says(document, config->sequence), text == NULL ? "" : text);
        free(text);
        json_decref(document);
    }
    free(url);
    free(path);
}

static bool check_arguments(const struct journey_config *config, struct uuid *source,
                            struct err *err)
{
    const size_t topic = strlen(config->kafka_topic);
    if (topic < 1 || topic > TOPIC_LENGTH_MAX)
        return err_set(err, ERR_USAGE, "--kafka-topic: a name has 1 to %d characters",
                       TOPIC_LENGTH_MAX);
    return uuid_parse(config->source, strlen(config->source), source) ||
           err_set(err, ERR_USAGE, "--source: \"%.100s\" is not a UUID", config->source);
}

int journey_main(int argc, char *const *argv)
{
    struct journey_config config;
    struct option_list none;
    const enum options_outcome outcome =
        options_read(table, COUNT_OF(table), &usage, argc, argv, &config, &none);
    if (outcome != OPTIONS_RUN)
        return cli_exit_of(outcome);
    log_init("abacus-cli", LOG_WARN, LOG_FORMAT_AUTO);
    struct uuid source;
    struct err err;
    rd_kafka_t *reader = NULL;
    int partitions;
    const bool asked = check_arguments(&config, &source, &err);
    const bool ok = asked && reader_create(&config, &reader, &err) &&
                    topic_open(reader, &config, &partitions, &err) &&
                    topic_search(reader, &config, &source, partitions, &err);
    if (asked && (ok || err.code != ERR_USAGE))
        print_position(&config, &source);
    if (!ok)
        fprintf(stderr, "journey: %s\n", err.text);
    if (reader != NULL) {
        rd_kafka_consumer_close(reader);
        rd_kafka_destroy(reader);
    }
    return ok ? CLI_OK : err.code == ERR_USAGE ? CLI_UNKNOWN : CLI_FAILED;
}
