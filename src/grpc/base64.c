// SPDX-License-Identifier: Apache-2.0
#include "grpc/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void grpc_base64_encode(struct bytes *out, const void *data, size_t length)
{
    const uint8_t *in = data;
    uint8_t *const begin = bytes_reserve(out, (length + 2) / 3 * 4), *at = begin;
    for (size_t i = 0; i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                              (left > 2 ? (uint32_t)in[i + 2] : 0);
        *at++ = (uint8_t)alphabet[bits >> 18];
        *at++ = (uint8_t)alphabet[bits >> 12 & 63];
        if (left > 1)
            *at++ = (uint8_t)alphabet[bits >> 6 & 63];
        if (left > 2)
            *at++ = (uint8_t)alphabet[bits & 63];
    }
    *at = '\0'; // does not count: bytes.h
    out->length += (size_t)(at - begin);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool grpc_base64_decode(struct bytes *out, const char *text, size_t length)
{
    if (length % 4 == 0) { // padding is there only to fill the last group of four
        for (int i = 0; i < 2 && length > 0 && text[length - 1] == '='; i++)
            length--;
    }
    if (length % 4 == 1)
        return false;
    uint8_t *at = bytes_reserve(out, length / 4 * 3 + 2);
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        const int value = value_of(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            *at++ = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    out->length = (size_t)(at - out->data);
    return true;
}
