// SPDX-License-Identifier: Apache-2.0
#include "telemetry/http_path.h"

#include "base/bytes.h"

#include <string.h>

// The byte at text, which takes 3 characters when it is encoded. -1: wrong encoding.
static int byte_at(const char *text, size_t *taken)
{
    *taken = 1;
    if (text[0] != '%')
        return (unsigned char)text[0];
    const int high = hex_digit_value(text[1]);
    const int low = high < 0 ? -1 : hex_digit_value(text[2]);
    *taken = 3;
    return low < 0 ? -1 : high * 16 + low;
}

// An encoded zero would end our texts early, so that it is refused like a wrong encoding.
static bool is_well_formed(const char *text)
{
    for (size_t taken; *text != '\0'; text += taken) {
        if (*text <= ' ' || *text > '~' || *text == '#' || byte_at(text, &taken) <= 0)
            return false;
    }
    return true;
}

void http_percent_decode(char *text)
{
    char *out = text;
    for (size_t taken; *text != '\0'; text += taken)
        *out++ = (char)byte_at(text, &taken);
    *out = '\0';
}

// In a query "+" is a space (WHATWG URL, application/x-www-form-urlencoded).
static const char *form_decode(char *text)
{
    for (char *at = text; (at = strchr(at, '+')) != NULL;)
        *at = ' ';
    http_percent_decode(text);
    return text;
}

static bool query_parse(char *text, struct http_target *out)
{
    char *item;
    while ((item = strsep(&text, "&")) != NULL) {
        if (*item == '\0')
            continue;
        if (out->query_count == HTTP_QUERY_MAX)
            return false;
        char *name = strsep(&item, "=");
        struct http_parameter *parameter = &out->query[out->query_count++];
        parameter->name = form_decode(name);
        parameter->value = item != NULL ? form_decode(item) : "";
    }
    return true;
}

// Clients of proxies send the whole URL, and a server must take it (RFC 9112 §3.2.2). What stands
// before the path is ours anyway.
static char *path_of(char *text)
{
    if (text[0] == '/')
        return text;
    const bool is_url =
        strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
    if (!is_url)
        return NULL;
    char *path = strchr(strchr(text, '/') + 2, '/');
    if (path != NULL)
        return path;
    memcpy(text, "/", 2); // a URL without a path means "/"
    return text;
}

bool http_target_parse(char *text, struct http_target *out)
{
    out->query_count = 0;
    if (!is_well_formed(text))
        return false;
    char *query = strchr(text, '?');
    if (query != NULL)
        *query++ = '\0';
    out->path = path_of(text);
    return out->path != NULL && (query == NULL || query_parse(query, out));
}

const char *http_target_query(const struct http_target *target, const char *name)
{
    for (size_t i = 0; i < target->query_count; i++) {
        if (strcmp(target->query[i].name, name) == 0)
            return target->query[i].value;
    }
    return NULL;
}

bool http_path_match(const char *pattern, char *path, char **variable)
{
    *variable = NULL;
    for (size_t taken; *pattern != '\0' && *pattern != '{'; pattern++, path += taken) {
        const int byte = byte_at(path, &taken);
        const bool encoded_slash = taken > 1 && byte == '/';
        if (byte != (unsigned char)*pattern || encoded_slash)
            return false;
    }
    if (*pattern == '\0')
        return *path == '\0';
    *variable = path;
    return *path != '\0' && strchr(path, '/') == NULL;
}
