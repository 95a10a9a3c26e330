// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics_page.h"

#include "base/bytes.h"
#include "telemetry/gzip.h"
#include "telemetry/metrics.h"

void metrics_page(struct http_exchange *exchange, void *ctx)
{
    (void)ctx;
    const enum metrics_format format = metrics_format_of(http_header(exchange, "Accept"));
    struct bytes plain = {0}, packed = {0};
    metrics_expose(&plain, format);
    const bool pack = metrics_may_gzip(http_header(exchange, "Accept-Encoding"));
    if (pack) {
        gzip_append(&packed, &plain);
        http_header_add(exchange, "Content-Encoding", "gzip");
    }
    const struct bytes *body = pack ? &packed : &plain;
    http_header_add(exchange, "Cache-Control", "no-store");
    http_answer(exchange, 200, metrics_content_type(format), body->data, body->length);
    bytes_clear(&packed);
    bytes_clear(&plain);
}
