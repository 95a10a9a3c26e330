// SPDX-License-Identifier: Apache-2.0
#include "telemetry/otlp_http.h"

#include "base/clock.h"
#include "base/version.h"
#include "telemetry/curl_calls.h"
#include "telemetry/gzip.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000L
#define POLL_MS_MAX        1000 // libcurl has timers of its own
#define USER_AGENT         "OTel-OTLP-Exporter-C/" ABACUS_VERSION

struct otlp_http {
    // fixed after open
    struct curl_calls curl;
    const struct otel_config *config;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    // the exporter's thread only
    struct bytes packed, body;
    size_t head_bytes; // of the answer, and of what follows a body in chunks
    char trouble[CURL_ERROR_SIZE];
    // shared
    _Atomic int64_t cut_mono_ns; // stored by main, loaded by the exporter
};

// What is more than an answer can be is not read.
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct otlp_http *http = arg;
    const size_t length = size * count, room = OTLP_ANSWER_BYTES_MAX - http->body.length;
    bytes_append(&http->body, data, length < room ? length : room);
    return length <= room ? length : CURL_WRITEFUNC_ERROR;
}

// libcurl keeps each, and 7.88 puts no bound to those that follow a body in chunks.
static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    struct otlp_http *http = arg;
    const size_t length = size * count;
    http->head_bytes += length;
    return http->head_bytes <= OTLP_ANSWER_BYTES_MAX ? length : CURL_WRITEFUNC_ERROR;
}

static void add_header(struct otlp_http *http, const char *name, const char *value)
{
    char *line = xasprintf("%s: %s", name, value);
    http->headers = http->curl.slist_append(http->headers, line);
    CHECK(http->headers != NULL);
    free(line);
}

static void make_headers(struct otlp_http *http)
{
    const struct otel_list *list = &http->config->headers;
    add_header(http, "Content-Type", "application/x-protobuf");
    add_header(http, "Expect", ""); // no round trip to ask whether the body is welcome
    if (http->config->gzip)
        add_header(http, "Content-Encoding", "gzip");
    for (size_t i = 0; i < list->count; i++)
        add_header(http, list->pairs[i].key, list->pairs[i].value);
}

static void set_options(struct otlp_http *http)
{
    const struct curl_calls *curl = &http->curl;
    curl->easy_setopt(http->easy, CURLOPT_URL, http->config->endpoint);
    curl->easy_setopt(http->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(http->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(http->easy, CURLOPT_HTTPHEADER, http->headers);
    curl->easy_setopt(http->easy, CURLOPT_USERAGENT, USER_AGENT);
    curl->easy_setopt(http->easy, CURLOPT_POST, 1L);
    curl->easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(http->easy, CURLOPT_QUICK_EXIT, 1L); // a lookup that hangs delays no stop
    curl->easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl->easy_setopt(http->easy, CURLOPT_ERRORBUFFER, http->trouble);
    curl->easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(http->easy, CURLOPT_WRITEDATA, http);
    curl->easy_setopt(http->easy, CURLOPT_HEADERFUNCTION, on_head);
    curl->easy_setopt(http->easy, CURLOPT_HEADERDATA, http);
    if (http->config->certificate != NULL)
        curl->easy_setopt(http->easy, CURLOPT_CAINFO, http->config->certificate);
}

bool otlp_http_open(struct otlp_http **out, const struct otel_config *config, struct err *err)
{
    struct otlp_http *http = xcalloc(1, sizeof(*http));
    http->config = config;
    atomic_init(&http->cut_mono_ns, INT64_MAX);
    if (!curl_calls_load(&http->curl, err)) {
        free(http);
        return false;
    }
    http->easy = http->curl.easy_init();
    http->multi = http->curl.multi_init();
    CHECK(http->easy != NULL && http->multi != NULL);
    make_headers(http);
    set_options(http);
    *out = http;
    return true;
}

void otlp_http_close(struct otlp_http *http)
{
    if (http == NULL)
        return;
    http->curl.easy_cleanup(http->easy);
    http->curl.multi_cleanup(http->multi);
    http->curl.slist_free_all(http->headers);
    bytes_clear(&http->packed);
    bytes_clear(&http->body);
    free(http);
}

void otlp_http_cut(struct otlp_http *http, int64_t end_mono_ns)
{
    atomic_store(&http->cut_mono_ns, end_mono_ns);
    http->curl.multi_wakeup(http->multi);
}

// --- one post ---
static int64_t end_of(struct otlp_http *http, int64_t end_mono_ns)
{
    const int64_t cut_mono_ns = atomic_load(&http->cut_mono_ns);
    return end_mono_ns < cut_mono_ns ? end_mono_ns : cut_mono_ns;
}

// False: the time is over.
static bool transfer(struct otlp_http *http, int64_t end_mono_ns, CURLcode *code)
{
    int running = 1, left;
    for (;;) {
        CHECK_INT(http->curl.multi_perform(http->multi, &running), ==, CURLM_OK);
        if (running == 0)
            break;
        const int64_t left_ms = (end_of(http, end_mono_ns) - clock_mono_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return false;
        const int wait_ms = left_ms < POLL_MS_MAX ? (int)left_ms : POLL_MS_MAX;
        CHECK_INT(http->curl.multi_poll(http->multi, NULL, 0, wait_ms, NULL), ==, CURLM_OK);
    }
    const CURLMsg *message = http->curl.multi_info_read(http->multi, &left);
    CHECK(message != NULL && message->msg == CURLMSG_DONE);
    *code = message->data.result;
    return true;
}

static bool was_sent(struct otlp_http *http)
{
    long bytes = 0;
    http->curl.easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

static bool connection_failed(struct otlp_http *http, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return true;
    case CURLE_OPERATION_TIMEDOUT:
        return !was_sent(http);
    default:
        return false;
    }
}

static void judge_answer(struct otlp_http *http, struct otlp_reply *reply)
{
    curl_off_t retry_after_s = 0;
    http->curl.easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &reply->status);
    http->curl.easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    reply->retry_after_s = retry_after_s;
    snprintf(reply->error_type, sizeof(reply->error_type), "%ld", reply->status);
}

// unsent and timeout: what a collector that is too slow has got, it may have stored.
static void judge_failure(struct otlp_http *http, CURLcode code, struct otlp_reply *reply)
{
    reply->unsent = connection_failed(http, code);
    snprintf(reply->error_type, sizeof(reply->error_type), "connection");
    snprintf(reply->trouble, sizeof(reply->trouble), "%s",
             http->trouble[0] != '\0' ? http->trouble : http->curl.easy_strerror(code));
}

static void judge_timeout(struct otlp_http *http, struct otlp_reply *reply)
{
    reply->unsent = !was_sent(http);
    snprintf(reply->error_type, sizeof(reply->error_type), "timeout");
    snprintf(reply->trouble, sizeof(reply->trouble), "no answer in time");
}

void otlp_http_post(struct otlp_http *http, const struct bytes *request, int64_t end_mono_ns,
                    struct otlp_reply *reply)
{
    *reply = (struct otlp_reply){.body = &http->body};
    bytes_reset(&http->body);
    http->head_bytes = 0;
    http->trouble[0] = '\0';
    bytes_reset(&http->packed);
    if (http->config->gzip)
        gzip_append(&http->packed, request);
    const struct bytes *sent = http->config->gzip ? &http->packed : request;
    http->curl.easy_setopt(http->easy, CURLOPT_POSTFIELDS, sent->data);
    http->curl.easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)sent->length);
    CHECK_INT(http->curl.multi_add_handle(http->multi, http->easy), ==, CURLM_OK);
    CURLcode code = CURLE_OK;
    if (!transfer(http, end_mono_ns, &code))
        judge_timeout(http, reply);
    else if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        judge_answer(http, reply);
    else
        judge_failure(http, code, reply);
    http->curl.multi_remove_handle(http->multi, http->easy);
}
