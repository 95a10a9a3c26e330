// SPDX-License-Identifier: Apache-2.0
#include "kafka/client.h"

#include "unit.h"

#include <string.h>

static const struct kafka_property fixed[] = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"message.timeout.ms", "0"},
};

static const struct kafka_property defaults[] = {
    {"compression.codec", "lz4"},
    {"linger.ms", "1"},
};

static bool create(rd_kafka_conf_t **out, const char *property, struct err *err)
{
    const struct option_list properties = {.items = {property}, .count = property != NULL};
    const struct kafka_config config = {"127.0.0.1:1", &properties};
    const struct kafka_client client = {"unit", KAFKA_PROPERTIES(fixed),
                                        KAFKA_PROPERTIES(defaults)};
    return kafka_conf_create(out, &config, &client, err);
}

static void expect_property(const rd_kafka_conf_t *conf, const char *key, const char *want)
{
    char value[128] = "";
    size_t size = sizeof(value);
    if (want == NULL) { // this is how librdkafka says that a text is not set
        assert_int_equal(rd_kafka_conf_get(conf, key, value, &size), RD_KAFKA_CONF_UNKNOWN);
        return;
    }
    assert_int_equal(rd_kafka_conf_get(conf, key, value, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(value, want);
}

static void a_property_of_the_user_is_stronger_than_a_default(void **state)
{
    (void)state;
    static const struct {
        const char *property, *codec, *linger, *sasl;
    } table[] = {
        {NULL, "lz4", "1", NULL},
        {"compression.codec=zstd", "zstd", "1", NULL},
        {"compression.type=none", "none", "1", NULL}, // another name of the same
        {"linger.ms=20", "lz4", "20", NULL},
        {"sasl.username=a=b", "lz4", "1", "a=b"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        rd_kafka_conf_t *conf = NULL;
        struct err err = {.text = ""};
        EXPECT(create(&conf, table[i].property, &err), "%s: %s", table[i].property, err.text);
        expect_property(conf, "compression.codec", table[i].codec);
        expect_property(conf, "linger.ms", table[i].linger);
        expect_property(conf, "sasl.username", table[i].sasl);
        expect_property(conf, "bootstrap.servers", "127.0.0.1:1");
        expect_property(conf, "client.id", "unit");
        expect_property(conf, "message.timeout.ms", "0");
        rd_kafka_conf_destroy(conf);
    }
}

static void what_correctness_rests_on_cannot_be_changed(void **state)
{
    (void)state;
    static const struct {
        const char *property, *named;
    } table[] = {
        {"acks=1", "acks"},
        {"request.required.acks=0", "request.required.acks"}, // another name of acks
        {"delivery.timeout.ms=5000", "delivery.timeout.ms"},  // of message.timeout.ms
        {"enable.idempotence=false", "enable.idempotence"},
        {"enable.idempotence=true", "enable.idempotence"}, // no change, but it means to be one
        {"bootstrap.servers=elsewhere:9092", "bootstrap.servers"},
        {"transactional.id=mine", "transactional.id"}, // nothing could be produced
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        rd_kafka_conf_t *conf = NULL;
        struct err err = {.text = ""};
        EXPECT(!create(&conf, table[i].property, &err), "%s was taken", table[i].property);
        assert_int_equal(err.code, ERR_USAGE);
        EXPECT(strstr(err.text, table[i].named) != NULL, "%s: %s", table[i].property, err.text);
    }
}

static void a_property_that_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *property, *named;
    } table[] = {
        {"no.such.thing=1", "no.such.thing"},
        {"linger.ms=soon", "linger.ms"},
        {"linger.ms", "linger.ms"},
        {"=5", "=5"},
        {"", "key=value"},
        {"log_cb=x", "log_cb"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        rd_kafka_conf_t *conf = NULL;
        struct err err = {.text = ""};
        EXPECT(!create(&conf, table[i].property, &err), "%s was taken", table[i].property);
        assert_int_equal(err.code, ERR_USAGE);
        EXPECT(strstr(err.text, table[i].named) != NULL, "%s: %s", table[i].property, err.text);
    }
}

static void brokers_must_be_given(void **state)
{
    (void)state;
    const struct kafka_config config = {"", NULL};
    const struct kafka_client client = {.id = "unit"};
    rd_kafka_conf_t *conf = NULL;
    struct err err = {.text = ""};
    assert_false(kafka_conf_create(&conf, &config, &client, &err));
    assert_int_equal(err.code, ERR_USAGE);
}

static void properties_that_contradict_each_other_fail_with_a_reason(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = NULL;
    struct err err = {.text = ""};
    assert_true(create(&conf, "max.in.flight=100", &err)); // idempotence allows five
    rd_kafka_t *rk = NULL;
    assert_false(kafka_new(&rk, RD_KAFKA_PRODUCER, conf, &err));
    assert_int_equal(err.code, ERR_USAGE);
    EXPECT(strstr(err.text, "max.in.flight") != NULL, "%s", err.text);
}

static void an_error_is_retriable_when_time_may_heal_it(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t code;
        bool retriable;
    } table[] = {
        {RD_KAFKA_RESP_ERR__TRANSPORT, true},
        {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, true},
        {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, true},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false},
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct err err = {.text = ""};
        assert_false(kafka_err(&err, table[i].code, NULL));
        EXPECT(err_retriable(err.code) == table[i].retriable, "%s", err.text);
        assert_string_equal(err.text, rd_kafka_err2str(table[i].code));
    }
    struct err err;
    assert_false(kafka_err(&err, RD_KAFKA_RESP_ERR__TRANSPORT, "broker gone"));
    assert_string_equal(err.text, "broker gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_property_of_the_user_is_stronger_than_a_default),
        cmocka_unit_test(what_correctness_rests_on_cannot_be_changed),
        cmocka_unit_test(a_property_that_is_wrong_is_named),
        cmocka_unit_test(brokers_must_be_given),
        cmocka_unit_test(properties_that_contradict_each_other_fail_with_a_reason),
        cmocka_unit_test(an_error_is_retriable_when_time_may_heal_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
