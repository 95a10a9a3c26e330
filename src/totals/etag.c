// SPDX-License-Identifier: Apache-2.0
#include "totals/etag.h"

#include <string.h>

// Empty elements of a list are passed over (RFC 9110 §5.6.1).
static const char *skip_separators(const char *at)
{
    return at + strspn(at, " \t,");
}

// etagc (RFC 9110 §8.8.3): anything but controls, spaces and the quote.
static bool is_tag_character(char c)
{
    const unsigned char byte = (unsigned char)c;
    return byte > 0x20 && byte != '"' && byte != 0x7f;
}

// Length of the quoted tag at text, 0: there is none.
static size_t tag_length(const char *text)
{
    if (text[0] != '"')
        return 0;
    size_t length = 1;
    while (is_tag_character(text[length]))
        length++;
    return text[length] == '"' ? length + 1 : 0;
}

static bool is_any(const char *text)
{
    return text[0] == '*' && text[1 + strspn(text + 1, " \t")] == '\0';
}

bool etag_matches(const char *if_none_match, const char *etag)
{
    const size_t own = strlen(etag);
    const char *at = skip_separators(if_none_match);
    if (is_any(at))
        return true;
    while (*at != '\0') {
        if (strncmp(at, "W/", 2) == 0)
            at += 2;
        const size_t length = tag_length(at);
        if (length == 0)
            return false;
        if (length == own && memcmp(at, etag, own) == 0)
            return true;
        at += length;
        const char *next = skip_separators(at);
        if (*next != '\0' && memchr(at, ',', (size_t)(next - at)) == NULL)
            return false; // two tags without a comma
        at = next;
    }
    return false;
}
