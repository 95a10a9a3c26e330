// SPDX-License-Identifier: Apache-2.0
#include "kafka/client.h"

#include "kafka/log.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 128

// --- errors ---
static enum err_code code_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__FATAL: // another client instance can go on
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR: // of a cluster that is just starting
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
        return ERR_UNAVAILABLE;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return ERR_EXHAUSTED;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return ERR_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return ERR_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        return ERR_USAGE;
    default:
        return ERR_INVALID;
    }
}

bool kafka_err(struct err *err, rd_kafka_resp_err_t code, const char *text)
{
    return err_set(err, code_of(code), "%s", text != NULL ? text : rd_kafka_err2str(code));
}

// --- configuration ---
static bool set(rd_kafka_conf_t *conf, const char *key, const char *value, struct err *err)
{
    char text[ERR_TEXT_MAX] = "";
    if (rd_kafka_conf_set(conf, key, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return true;
    return err_set(err, ERR_USAGE, "Kafka property %s: %s", key, text);
}

static bool set_all(rd_kafka_conf_t *conf, struct kafka_properties properties, struct err *err)
{
    for (size_t i = 0; i < properties.count; i++) {
        if (!set(conf, properties.list[i].key, properties.list[i].value, err))
            return false;
    }
    return true;
}

// In librdkafka's own spelling ("all" reads "-1"); "": a text that is not set. Owned by the caller.
static char *read_back(const rd_kafka_conf_t *conf, const char *key)
{
    size_t size = 0;
    if (rd_kafka_conf_get(conf, key, NULL, &size) == RD_KAFKA_CONF_UNKNOWN)
        return xstrdup("");
    char *value = xcalloc(1, size + 1);
    CHECK_INT(rd_kafka_conf_get(conf, key, value, &size), ==, RD_KAFKA_CONF_OK);
    return value;
}

static bool is_unchanged(const rd_kafka_conf_t *before, const rd_kafka_conf_t *after,
                         const char *key)
{
    char *left = read_back(before, key), *right = read_back(after, key);
    const bool same = strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}

struct user_property {
    char key[KEY_BYTES];
    const char *value;
};

static bool split(const char *item, struct user_property *out, struct err *err)
{
    const char *equals = strchr(item, '=');
    const size_t length = equals != NULL ? (size_t)(equals - item) : 0;
    if (length == 0 || length >= KEY_BYTES)
        return err_set(err, ERR_USAGE, "Kafka property \"%.*s\" is not key=value",
                       (int)strnlen(item, KEY_BYTES), item);
    memcpy(out->key, item, length);
    out->key[length] = '\0';
    out->value = equals + 1;
    return true;
}

// A configuration while the user's properties are set, and how it was before.
struct change {
    rd_kafka_conf_t *conf;
    const rd_kafka_conf_t *before;
};

// librdkafka knows many properties by two names, so what is compared is what was done.
static bool check_untouched(const struct change *change, struct kafka_properties fixed,
                            const char *key, struct err *err)
{
    for (size_t i = 0; i < fixed.count; i++) {
        const struct kafka_property *one = &fixed.list[i];
        if (strcmp(key, one->key) == 0 || !is_unchanged(change->before, change->conf, one->key))
            return err_set(err, ERR_USAGE, "Kafka property %s cannot be set: it must be %s", key,
                           one->value);
    }
    return true;
}

static bool set_user(const struct change *change, const char *item, struct kafka_properties fixed,
                     struct err *err)
{
    // The brokers have an option of their own; a second place for them would only confuse. With
    // transactions, which nobody here begins, nothing could be produced.
    static const struct kafka_property never[] = {
        {"bootstrap.servers", "given by the option"},
        {"transactional.id", "left alone"},
    };
    struct user_property user;
    return split(item, &user, err) && set(change->conf, user.key, user.value, err) &&
           check_untouched(change, KAFKA_PROPERTIES(never), user.key, err) &&
           check_untouched(change, fixed, user.key, err);
}

static bool set_users(rd_kafka_conf_t *conf, const struct option_list *properties,
                      struct kafka_properties fixed, struct err *err)
{
    rd_kafka_conf_t *before = rd_kafka_conf_dup(conf);
    const struct change change = {conf, before};
    bool ok = true;
    for (size_t i = 0; ok && properties != NULL && i < properties->count; i++)
        ok = set_user(&change, properties->items[i], fixed, err);
    rd_kafka_conf_destroy(before);
    return ok;
}

bool kafka_conf_create(rd_kafka_conf_t **out, const struct kafka_config *config,
                       const struct kafka_client *client, struct err *err)
{
    if (config->bootstrap_servers[0] == '\0')
        return err_set(err, ERR_USAGE, "no Kafka broker is given");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, kafka_log);
    if (set(conf, "client.id", client->id, err) && set_all(conf, client->defaults, err) &&
        set(conf, "bootstrap.servers", config->bootstrap_servers, err) &&
        set_all(conf, client->fixed, err) &&
        set_users(conf, config->properties, client->fixed, err)) {
        *out = conf;
        return true;
    }
    rd_kafka_conf_destroy(conf);
    return false;
}

bool kafka_new(rd_kafka_t **out, rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *err)
{
    char text[ERR_TEXT_MAX] = "";
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));
    if (rk != NULL) {
        *out = rk;
        return true;
    }
    const rd_kafka_resp_err_t code = rd_kafka_last_error();
    rd_kafka_conf_destroy(conf);
    kafka_err(err, code, text);
    return err_prefix(err, "Kafka client");
}
