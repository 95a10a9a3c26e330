// SPDX-License-Identifier: Apache-2.0
// Against librdkafka's own mock broker, which listens on a free port of 127.0.0.1.
#include "kafka/client.h"

#include "base/clock.h"

#include "unit.h"

#include <librdkafka/rdkafka_mock.h>
#include <string.h>

#define AWAY_MS 300
#define SOON_MS 20000

static const struct kafka_topic sums = {.name = "abacus.sums", .partitions = 6, .replication = 1};

struct setup {
    rd_kafka_t *host; // the mock brokers live in a client
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *client;
};

static rd_kafka_t *client_of(const char *brokers)
{
    static const struct kafka_property defaults[] = {{"allow.auto.create.topics", "false"}};
    const struct kafka_config config = {brokers, NULL};
    const struct kafka_client client = {.id = "unit", .defaults = KAFKA_PROPERTIES(defaults)};
    struct err err = {.text = ""};
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk = NULL;
    EXPECT(kafka_conf_create(&conf, &config, &client, &err) &&
               kafka_new(&rk, RD_KAFKA_PRODUCER, conf, &err),
           "%s", err.text);
    return rk;
}

static int set_up(void **state)
{
    static struct setup s;
    char text[ERR_TEXT_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    s.host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    s.cluster = rd_kafka_mock_cluster_new(s.host, 1);
    s.client = client_of(rd_kafka_mock_cluster_bootstraps(s.cluster));
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct setup *s = *state;
    rd_kafka_destroy(s->client);
    rd_kafka_mock_cluster_destroy(s->cluster);
    rd_kafka_destroy(s->host);
    return 0;
}

static void a_topic_that_is_there_is_found(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_topic_create(s->cluster, sums.name, 6, 1), 0);
    int32_t partitions = 0;
    struct err err = {.text = ""};
    EXPECT(kafka_topic_ensure(s->client, &sums, SOON_MS, &partitions, &err), "%s", err.text);
    assert_int_equal(partitions, 6);
}

static void a_broker_that_cannot_create_topics_is_asked_for_it(void **state)
{
    struct setup *s = *state;
    int32_t partitions = 0;
    struct err err = {.text = ""};
    EXPECT(kafka_topic_ensure(s->client, &sums, SOON_MS, &partitions, &err), "%s", err.text);
    assert_int_equal(partitions, 4); // the mock broker's own number
}

static void a_broker_that_is_away_is_waited_for_no_longer_than_asked(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_broker_set_down(s->cluster, 1), 0);
    int32_t partitions = 0;
    struct err err = {.text = ""};
    const int64_t begun = clock_mono_ns();
    assert_false(kafka_topic_ensure(s->client, &sums, AWAY_MS, &partitions, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    EXPECT(strstr(err.text, sums.name) != NULL, "%s", err.text);
    assert_true(clock_mono_ns() - begun < 10 * AWAY_MS * NS_PER_MS);
    assert_int_equal(rd_kafka_mock_broker_set_up(s->cluster, 1), 0);
    EXPECT(kafka_topic_ensure(s->client, &sums, SOON_MS, &partitions, &err), "%s", err.text);
}

static void a_partition_without_leader_does_not_hide_the_others(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_topic_create(s->cluster, sums.name, 2, 1), 0);
    assert_int_equal(rd_kafka_mock_partition_set_leader(s->cluster, sums.name, 1, -1), 0);
    int32_t partitions = 0;
    struct err err = {.text = ""};
    EXPECT(kafka_topic_ensure(s->client, &sums, SOON_MS, &partitions, &err), "%s", err.text);
    assert_int_equal(partitions, 2);
}

static void a_topic_we_may_not_see_is_an_error_that_says_so(void **state)
{
    struct setup *s = *state;
    assert_int_equal(rd_kafka_mock_topic_create(s->cluster, sums.name, 2, 1), 0);
    rd_kafka_mock_topic_set_error(s->cluster, sums.name,
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    int32_t partitions = 0;
    struct err err = {.text = ""};
    assert_false(kafka_topic_ensure(s->client, &sums, SOON_MS, &partitions, &err));
    assert_false(err_retriable(err.code));
    EXPECT(strstr(err.text, "authorization") != NULL, "%s", err.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_that_is_there_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broker_that_cannot_create_topics_is_asked_for_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_broker_that_is_away_is_waited_for_no_longer_than_asked,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_partition_without_leader_does_not_hide_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_topic_we_may_not_see_is_an_error_that_says_so, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
