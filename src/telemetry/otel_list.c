// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otel_list.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

static struct otel_pair *find(const struct otel_list *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->pairs[i].key, key) == 0)
            return (struct otel_pair *)&list->pairs[i];
    }
    return NULL;
}

bool otel_list_set(struct otel_list *list, const char *key, const char *value)
{
    struct otel_pair *pair = find(list, key);
    if (pair == NULL) {
        if (list->count == OTEL_LIST_MAX)
            return false;
        pair = &list->pairs[list->count++];
        *pair = (struct otel_pair){.key = xstrdup(key)};
    }
    char *copy = xstrdup(value);
    free(pair->value);
    pair->value = copy;
    return true;
}

const char *otel_list_get(const struct otel_list *list, const char *key)
{
    const struct otel_pair *pair = find(list, key);
    return pair == NULL ? NULL : pair->value;
}

void otel_list_clear(struct otel_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->pairs[i].key);
        free(list->pairs[i].value);
    }
    list->count = 0;
}

// In place. A zero byte would end the text early.
static bool percent_decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        const int high = hex_digit_value(at[1]), low = high < 0 ? -1 : hex_digit_value(at[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

static bool is_utf8(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        const size_t length = bytes_utf8_length(at, left);
        if (length == 0)
            return false;
        at += length, left -= length;
    }
    return true;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static bool take_member(struct otel_list *list, char *member, struct err *err)
{
    char *equals = strchr(member, '=');
    if (equals == NULL)
        return err_set(err, ERR_INVALID, "\"%.40s\" has no \"=\"", member);
    *equals = '\0';
    char *key = trim(member), *value = trim(equals + 1);
    if (key[0] == '\0')
        return err_set(err, ERR_INVALID, "a value has no name before its \"=\"");
    if (!percent_decode(key) || !percent_decode(value) || !is_utf8(key) || !is_utf8(value))
        return err_set(err, ERR_INVALID, "a \"%%\" must begin the two digits of a byte of UTF-8");
    return otel_list_set(list, key, value) ||
           err_set(err, ERR_INVALID, "more than %d names", OTEL_LIST_MAX);
}

bool otel_list_parse(struct otel_list *list, const char *text, struct err *err)
{
    char *copy = xstrdup(text), *rest = copy, *member;
    bool ok = true;
    while (ok && (member = strsep(&rest, ",")) != NULL) {
        member = trim(member);
        ok = member[0] == '\0' || take_member(list, member, err); // an empty member says nothing
    }
    free(copy);
    return ok;
}
