// SPDX-License-Identifier: Apache-2.0
#include "base/options.h"

#include "base/bytes.h"
#include "base/int128.h"
#include "base/log.h"
#include "base/version.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64

struct parse {
    const struct option *table;
    size_t count;
    void *config;
    struct err *err;
};

static const struct option *find(const struct parse *p, const char *name, size_t length)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strlen(p->table[i].name) == length && memcmp(p->table[i].name, name, length) == 0)
            return &p->table[i];
    }
    return NULL;
}

static void *field(const struct option *o, const void *config)
{
    return (char *)(uintptr_t)config + o->offset;
}

// Index of value among "a|b|c", or -1.
static int choice_index(const char *choices, const char *value)
{
    const size_t length = strlen(value);
    int index = 0;
    for (const char *at = choices; *at != '\0'; index++) {
        const size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, value, length) == 0)
            return index;
        at += word + (at[word] == '|');
    }
    return -1;
}

static bool set_int(const struct option *o, int64_t *out, const char *value, struct err *err)
{
    int64_t number;
    if (!int64_parse(value, strlen(value), &number) || number < o->min || number > o->max)
        return err_set(err, ERR_USAGE,
                       "--%s: \"%s\" is not a whole number from %" PRId64 " to %" PRId64, o->name,
                       value, o->min, o->max);
    *out = number;
    return true;
}

static bool set_list(const struct option *o, struct option_list *list, const char *value,
                     struct err *err)
{
    if (list->count == OPTION_LIST_MAX)
        return err_set(err, ERR_USAGE, "--%s: given more than %d times", o->name, OPTION_LIST_MAX);
    list->items[list->count++] = value;
    return true;
}

static bool set_flag(const struct option *o, bool *out, const char *value, struct err *err)
{
    *out = strcmp(value, "true") == 0;
    if (!*out && strcmp(value, "false") != 0)
        return err_set(err, ERR_USAGE, "--%s: \"%s\" is neither true nor false", o->name, value);
    return true;
}

static bool set_value(const struct parse *p, const struct option *o, const char *value)
{
    void *out = field(o, p->config);
    switch (o->type) {
    case OPTION_TEXT:
        *(const char **)out = value;
        return true;
    case OPTION_INT:
        return set_int(o, out, value, p->err);
    case OPTION_CHOICE:
        *(int *)out = choice_index(o->choices, value);
        if (*(int *)out >= 0)
            return true;
        return err_set(p->err, ERR_USAGE, "--%s: \"%s\" is none of %s", o->name, value, o->choices);
    case OPTION_FLAG:
        return set_flag(o, out, value, p->err);
    case OPTION_LIST:
        return set_list(o, out, value, p->err);
    }
    check_failed(__FILE__, __LINE__, "the option has a type");
}

static void env_name(char out[NAME_BYTES], const char *name)
{
    const int length = snprintf(out, NAME_BYTES, "ABACUS_%s", name);
    CHECK_INT(length, <, NAME_BYTES);
    for (char *at = out; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

// A list in the environment is separated by commas; the copy lives as long as the process.
static bool set_env_list(const struct parse *p, const struct option *o, const char *value)
{
    char *rest = xstrdup(value), *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        if (*item != '\0' && !set_value(p, o, item))
            return false;
    }
    return true;
}

static bool set_from_env(const struct parse *p, const struct option *o)
{
    char name[NAME_BYTES];
    env_name(name, o->name);
    const char *value = getenv(name);
    if (value == NULL || *value == '\0')
        return true;
    const bool ok = o->type == OPTION_LIST ? set_env_list(p, o, value) : set_value(p, o, value);
    return ok || err_prefix(p->err, "environment variable %s", name);
}

static bool set_defaults(const struct parse *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct option *o = &p->table[i];
        if (o->type == OPTION_LIST)
            *(struct option_list *)field(o, p->config) = (struct option_list){.count = 0};
        else if (o->fallback != NULL)
            CHECK(set_value(p, o, o->fallback));
        else if (o->type == OPTION_TEXT)
            *(const char **)field(o, p->config) = "";
        else
            CHECK(o->type == OPTION_FLAG && set_value(p, o, "false"));
        if (!set_from_env(p, o))
            return false;
    }
    return true;
}

// Takes "--name value" or "--name=value" at argv[*index] and moves *index to the last word taken.
static bool take_option(const struct parse *p, int argc, char *const *argv, int *index)
{
    const char *name = argv[*index] + 2;
    const size_t length = strcspn(name, "=");
    const struct option *o = find(p, name, length);
    if (o == NULL)
        return err_set(p->err, ERR_USAGE, "unknown option --%.*s",
                       (int)(length < 100 ? length : 100), name);
    if (name[length] == '=')
        return set_value(p, o, name + length + 1);
    if (o->type == OPTION_FLAG)
        return set_value(p, o, "true");
    if (*index + 1 >= argc)
        return err_set(p->err, ERR_USAGE, "--%s: needs a value", o->name);
    return set_value(p, o, argv[++*index]);
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && !isdigit((unsigned char)word[1]);
}

bool options_parse(const struct option *table, size_t count, size_t positional_max, int argc,
                   char *const *argv, void *config, struct option_list *positional, struct err *err)
{
    const struct parse p = {table, count, config, err};
    positional->count = 0;
    CHECK_INT(positional_max, <=, OPTION_LIST_MAX);
    if (!set_defaults(&p))
        return false;
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && is_option(argv[i])) {
            if (argv[i][1] != '-')
                return err_set(err, ERR_USAGE, "unknown option %.100s", argv[i]);
            if (!take_option(&p, argc, argv, &i))
                return false;
        } else if (positional->count < positional_max) {
            positional->items[positional->count++] = argv[i];
        } else {
            return err_set(err, ERR_USAGE, "unexpected argument \"%.100s\"", argv[i]);
        }
    }
    return true;
}

static const char *value_name(const struct option *o)
{
    if (o->choices != NULL)
        return o->choices;
    if (o->unit != NULL)
        return o->unit;
    return o->type == OPTION_INT ? "N" : "TEXT";
}

static void print_help(const struct option *table, size_t count, const struct options_usage *usage)
{
    printf("Usage: %s %s\n%s\n\nOptions (each is also an environment variable: --a-b is "
           "ABACUS_A_B):\n",
           usage->program, usage->synopsis, usage->purpose);
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &table[i];
        printf("  --%s", o->name);
        if (o->type != OPTION_FLAG)
            printf(" %s", value_name(o));
        printf("\n        %s", o->text);
        if (o->fallback != NULL && o->fallback[0] != '\0')
            printf(" [%s]", o->fallback);
        printf("\n");
    }
    printf("  --help\n        Show this text.\n  --version\n        Show the version.\n");
}

enum options_outcome options_read(const struct option *table, size_t count,
                                  const struct options_usage *usage, int argc, char *const *argv,
                                  void *config, struct option_list *positional)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(table, count, usage);
            return OPTIONS_EXIT_OK;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s %s\n", usage->program, ABACUS_VERSION);
            return OPTIONS_EXIT_OK;
        }
    }
    struct err err;
    if (options_parse(table, count, usage->positional_max, argc, argv, config, positional, &err))
        return OPTIONS_RUN;
    fprintf(stderr, "%s: %s (see %s --help)\n", usage->program, err.text, usage->program);
    return OPTIONS_EXIT_USAGE;
}

// The word at index among "a|b|c".
static void append_choice(struct bytes *line, const char *choices, int index)
{
    const char *at = choices;
    for (int i = 0; i < index; i++)
        at += strcspn(at, "|") + 1;
    bytes_append(line, at, strcspn(at, "|"));
}

static void append_value(struct bytes *line, const struct option *o, const void *config)
{
    const void *value = field(o, config);
    switch (o->type) {
    case OPTION_TEXT:
        bytes_append_text(line, *(const char *const *)value);
        break;
    case OPTION_INT:
        bytes_printf(line, "%" PRId64, *(const int64_t *)value);
        break;
    case OPTION_CHOICE:
        append_choice(line, o->choices, *(const int *)value);
        break;
    case OPTION_FLAG:
        bytes_append_text(line, *(const bool *)value ? "true" : "false");
        break;
    case OPTION_LIST:
        bytes_printf(line, "%zu given", ((const struct option_list *)value)->count);
        break;
    }
}

void options_log(const struct option *table, size_t count, const void *config)
{
    struct bytes line = {0};
    bytes_append_text(&line, "configuration:");
    for (size_t i = 0; i < count; i++) {
        const struct option *o = &table[i];
        bytes_printf(&line, " %s=", o->name);
        if (strstr(o->name, "password") != NULL || strstr(o->name, "secret") != NULL)
            bytes_append_text(&line, "(hidden)");
        else
            append_value(&line, o, config);
    }
    log_info("options", "%s", (const char *)line.data);
    bytes_clear(&line);
}
