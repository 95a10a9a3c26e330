// SPDX-License-Identifier: Apache-2.0
#include "grpc/header.h"

#include "grpc/timeout.h"

#include <string.h>

#define FIELD_OVERHEAD 32

void grpc_header_init(struct grpc_header *h, void *memory, size_t bytes)
{
    *h = (struct grpc_header){.timeout_ns = INT64_MAX};
    grpc_metadata_init(&h->metadata, memory, bytes);
}

void grpc_header_clear(struct grpc_header *h)
{
    grpc_metadata_clear(&h->metadata);
}

#define IS(slice, text) \
    ((slice).length == sizeof(text) - 1 && memcmp((slice).data, text, sizeof(text) - 1) == 0)
#define BEGINS(slice, text) \
    ((slice).length >= sizeof(text) - 1 && memcmp((slice).data, text, sizeof(text) - 1) == 0)

static const struct grpc_route *route_of(const struct grpc_header_rules *rules,
                                         struct grpc_slice path)
{
    for (size_t i = 0; i < rules->routes_count; i++) {
        const struct grpc_route *route = &rules->routes[i];
        if (route->path_length == path.length &&
            memcmp(route->method.path, path.data, path.length) == 0)
            return route;
    }
    return NULL;
}

// "application/grpc", or that and a "+" or ";" (not "application/grpc-web").
static bool content_type_is_grpc(struct grpc_slice value)
{
    const size_t length = sizeof("application/grpc") - 1;
    return BEGINS(value, "application/grpc") &&
           (value.length == length || value.data[length] == '+' || value.data[length] == ';');
}

static void pseudo_field(struct grpc_header *h, const struct grpc_header_rules *rules,
                         struct grpc_slice name, struct grpc_slice value)
{
    if (IS(name, ":path"))
        h->route = route_of(rules, value);
    else if (IS(name, ":method"))
        h->post = IS(value, "POST");
}

static void grpc_field(struct grpc_header *h, struct grpc_slice name, struct grpc_slice value)
{
    if (IS(name, "grpc-timeout"))
        h->timeout_bad |=
            !grpc_timeout_parse((const char *)value.data, value.length, &h->timeout_ns);
    else if (IS(name, "grpc-encoding"))
        h->encoding = IS(value, "identity") ? GRPC_ENCODING_IDENTITY
                      : IS(value, "gzip")   ? GRPC_ENCODING_GZIP
                                            : GRPC_ENCODING_UNKNOWN;
}

bool grpc_header_field(struct grpc_header *h, const struct grpc_header_rules *rules,
                       struct grpc_slice name, struct grpc_slice value)
{
    h->list_bytes += name.length + value.length + FIELD_OVERHEAD;
    h->fields_count++;
    if (h->list_bytes > rules->list_bytes_max || h->fields_count > GRPC_HEADER_FIELDS_MAX)
        return false;
    if (BEGINS(name, ":"))
        pseudo_field(h, rules, name, value);
    else if (BEGINS(name, "grpc-")) // reserved: never metadata
        grpc_field(h, name, value);
    else if (IS(name, "content-type"))
        h->content_type_ok = content_type_is_grpc(value);
    else if (!IS(name, "host") && !IS(name, "te") && !IS(name, "user-agent"))
        h->binary_bad |= !grpc_metadata_receive(&h->metadata, name, value);
    return true;
}

struct grpc_verdict grpc_header_judge(const struct grpc_header *h)
{
    if (!h->post)
        return (struct grpc_verdict){"405", GRPC_INTERNAL, "the method must be POST"};
    if (!h->content_type_ok)
        return (struct grpc_verdict){"415", GRPC_INVALID_ARGUMENT,
                                     "the content-type must be application/grpc"};
    if (h->timeout_bad)
        return (struct grpc_verdict){"400", GRPC_INTERNAL, "malformed grpc-timeout"};
    if (h->binary_bad)
        return (struct grpc_verdict){"400", GRPC_INTERNAL, "a -bin value is not base64"};
    if (h->route == NULL)
        return (struct grpc_verdict){"200", GRPC_UNIMPLEMENTED, "unknown service or method"};
    if (h->encoding == GRPC_ENCODING_UNKNOWN)
        return (struct grpc_verdict){"200", GRPC_UNIMPLEMENTED,
                                     "unknown grpc-encoding, use identity or gzip"};
    if (h->timeout_ns == 0)
        return (struct grpc_verdict){"200", GRPC_DEADLINE_EXCEEDED, "the deadline has passed"};
    return (struct grpc_verdict){"200", GRPC_OK, ""};
}
