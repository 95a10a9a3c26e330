// SPDX-License-Identifier: Apache-2.0
#include "grpc/metadata.h"

#include "grpc/base64.h"

#include <string.h>

struct lengths {
    uint32_t name, value;
};

void grpc_metadata_init(struct grpc_metadata *m, void *memory, size_t bytes)
{
    grpc_buffer_init(&m->packed, memory, bytes);
}

void grpc_metadata_clear(struct grpc_metadata *m)
{
    grpc_buffer_clear(&m->packed);
}

static struct grpc_slice slice_of(const char *text)
{
    return (struct grpc_slice){(const uint8_t *)text, strlen(text)};
}

static bool is_binary(struct grpc_slice name)
{
    return name.length >= 4 && memcmp(name.data + name.length - 4, "-bin", 4) == 0;
}

bool grpc_metadata_next(const struct grpc_metadata *m, size_t *at, struct grpc_metadatum *out)
{
    if (*at >= m->packed.length)
        return false;
    const uint8_t *entry = m->packed.data + *at;
    struct lengths lengths;
    memcpy(&lengths, entry, sizeof(lengths));
    out->name = (struct grpc_slice){entry + sizeof(lengths), lengths.name};
    out->value = (struct grpc_slice){out->name.data + lengths.name + 1, lengths.value};
    *at += sizeof(lengths) + lengths.name + 1 + lengths.value + 1;
    return true;
}

static bool lookup(const struct grpc_metadata *m, struct grpc_slice name,
                   struct grpc_metadatum *found)
{
    size_t at = 0;
    while (grpc_metadata_next(m, &at, found)) {
        if (found->name.length == name.length &&
            memcmp(found->name.data, name.data, name.length) == 0)
            return true;
    }
    return false;
}

const char *grpc_metadata_find(const struct grpc_metadata *m, const char *name, size_t *length)
{
    struct grpc_metadatum found;
    if (!lookup(m, slice_of(name), &found))
        return NULL;
    if (length != NULL)
        *length = found.value.length;
    return (const char *)found.value.data;
}

static void append(struct grpc_metadata *m, struct grpc_slice name, struct grpc_slice value)
{
    const struct lengths lengths = {(uint32_t)name.length, (uint32_t)value.length};
    struct grpc_buffer *p = &m->packed;
    grpc_buffer_reserve(p, sizeof(lengths) + name.length + value.length + 2);
    grpc_buffer_append(p, &lengths, sizeof(lengths));
    grpc_buffer_append(p, name.data, name.length);
    grpc_buffer_append(p, "", 1);
    grpc_buffer_append(p, value.data, value.length);
    grpc_buffer_append(p, "", 1);
}

// Widens the value in place, so that a name repeated a thousand times costs no more than its bytes.
static void join(struct grpc_metadata *m, const struct grpc_metadatum *old, struct grpc_slice more)
{
    const size_t header = (size_t)(old->name.data - m->packed.data) - sizeof(struct lengths);
    const size_t end = (size_t)(old->value.data - m->packed.data) + old->value.length;
    const size_t added = 1 + more.length, tail = m->packed.length - end;
    const struct lengths lengths = {(uint32_t)old->name.length,
                                    (uint32_t)(old->value.length + added)};
    grpc_buffer_reserve(&m->packed, added);
    uint8_t *at = m->packed.data + end;
    memmove(at + added, at, tail);
    *at = ',';
    if (more.length > 0)
        memcpy(at + 1, more.data, more.length);
    memcpy(m->packed.data + header, &lengths, sizeof(lengths));
    m->packed.length += added;
}

void grpc_metadata_add(struct grpc_metadata *m, struct grpc_slice name, struct grpc_slice value)
{
    struct grpc_metadatum old;
    if (!is_binary(name) && lookup(m, name, &old))
        join(m, &old, value);
    else
        append(m, name, value);
}

static const uint8_t *value_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
    return comma != NULL ? comma : end;
}

bool grpc_metadata_receive(struct grpc_metadata *m, struct grpc_slice name, struct grpc_slice value)
{
    if (!is_binary(name)) {
        grpc_metadata_add(m, name, value);
        return true;
    }
    struct bytes first = {0}, other = {0};
    const uint8_t *at = value.data, *end = at + value.length;
    const uint8_t *stop = value_end(at, end);
    bool ok = grpc_base64_decode(&first, (const char *)at, (size_t)(stop - at));
    while (ok && stop < end) {
        at = stop + 1;
        stop = value_end(at, end);
        bytes_reset(&other);
        ok = grpc_base64_decode(&other, (const char *)at, (size_t)(stop - at));
    }
    if (ok)
        append(m, name, (struct grpc_slice){first.data, first.length});
    bytes_clear(&first);
    bytes_clear(&other);
    return ok;
}

void grpc_metadata_send(struct grpc_metadata *m, const char *name, const void *value, size_t length)
{
    const struct grpc_slice plain = {value, length};
    if (!is_binary(slice_of(name))) {
        grpc_metadata_add(m, slice_of(name), plain);
        return;
    }
    struct bytes encoded = {0};
    grpc_base64_encode(&encoded, value, length);
    append(m, slice_of(name), (struct grpc_slice){encoded.data, encoded.length});
    bytes_clear(&encoded);
}
