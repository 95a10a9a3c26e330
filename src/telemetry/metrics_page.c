// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics_page.h"

#include "base/bytes.h"
#include "telemetry/metrics.h"

#include <zlib.h>

// A window of 4 KiB instead of 32 finds nearly all repetitions of these lines, and zlib works in
// 40 KB instead of 270: a scrape must not be what makes a service large.
#define WINDOW_BITS  12
#define MEMORY_LEVEL 5
#define GZIP_WRAPPER 16 // zlib: added to the window bits it means a gzip header, RFC 1952

static void gzip(struct bytes *out, const struct bytes *plain)
{
    z_stream z = {.next_in = plain->data, .avail_in = (uInt)plain->length};
    CHECK_INT(deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS + GZIP_WRAPPER, MEMORY_LEVEL,
                           Z_DEFAULT_STRATEGY),
              ==, Z_OK);
    const uLong bound = deflateBound(&z, plain->length);
    z.next_out = bytes_reserve(out, bound);
    z.avail_out = (uInt)bound;
    CHECK_INT(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
    out->length += z.total_out;
    deflateEnd(&z);
}

void metrics_page(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    const enum metrics_format format = metrics_format_of(http_header(exchange, "Accept"));
    struct bytes plain = {0}, packed = {0};
    metrics_expose(&plain, format);
    const bool pack = metrics_may_gzip(http_header(exchange, "Accept-Encoding"));
    if (pack) {
        gzip(&packed, &plain);
        http_header_add(exchange, "Content-Encoding", "gzip");
    }
    const struct bytes *body = pack ? &packed : &plain;
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer(exchange, 200, metrics_content_type(format), body->data, body->length);
    bytes_clear(&packed);
    bytes_clear(&plain);
}
