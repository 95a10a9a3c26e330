// SPDX-License-Identifier: Apache-2.0
#include "cli/http_get.h"

#include "base/stop.h"

#include <curl/curl.h>
#include <string.h>

struct transfer {
    CURL *easy;
    struct bytes body; // all of it; or the line that is not complete yet
    size_t bytes_max;
    bool too_large;
    void (*on_line)(const char *line, size_t length, void *ctx); // NULL: the body is kept
    void *ctx;
    char trouble[CURL_ERROR_SIZE];
};

// An answer that is not the one asked for is no line of it.
static bool answer_is_good(const struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status <= 299;
}

static void take_lines(struct transfer *t)
{
    size_t from = 0;
    const char *text = (const char *)t->body.data, *end;
    while ((end = memchr(text + from, '\n', t->body.length - from)) != NULL) {
        size_t length = (size_t)(end - text) - from;
        if (length > 0 && text[from + length - 1] == '\r')
            length--;
        t->on_line(text + from, length, t->ctx);
        from = (size_t)(end - text) + 1;
    }
    memmove(t->body.data, t->body.data + from, t->body.length - from);
    t->body.length -= from;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t length = size * count;
    if (length == 0)
        return 0;
    if (t->body.length + length > t->bytes_max) {
        t->too_large = true;
        return 0; // curl ends the transfer
    }
    bytes_append(&t->body, data, length);
    if (t->on_line != NULL && answer_is_good(t))
        take_lines(t);
    return length;
}

static bool transfer_open(struct transfer *t, const char *url, struct err *err)
{
    t->easy = curl_easy_init();
    CHECK(t->easy != NULL);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->trouble);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)
        if (curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK)
            return true;
    return err_set(err, ERR_USAGE, "\"%.100s\" is not a URL like http://127.0.0.1:8080", url);
}

static void transfer_close(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    bytes_clear(&t->body);
}

static bool transfer_judge(const struct transfer *t, CURLcode code, const char *url,
                           struct err *err)
{
    if (t->too_large)
        return err_set(err, ERR_INVALID, "%s: more than %zu bytes", url, t->bytes_max);
    if (code == CURLE_URL_MALFORMAT)
        return err_set(err, ERR_USAGE, "\"%.100s\" is not a URL", url);
    if (code != CURLE_OK)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", url,
                       t->trouble[0] != '\0' ? t->trouble : curl_easy_strerror(code));
    if (answer_is_good(t))
        return true;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    const enum err_code kind = status == 404   ? ERR_NOT_FOUND
                               : status >= 500 ? ERR_UNAVAILABLE
                                               : ERR_INVALID;
    return err_set(err, kind, "%s: HTTP status %ld", url, status);
}

char *url_join(const char *base, const char *path)
{
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    return xasprintf("%.*s%s", (int)length, base, path);
}

bool http_get(struct bytes *body, const char *url, int64_t timeout_ms, struct err *err)
{
    struct transfer t = {.bytes_max = HTTP_BODY_BYTES_MAX};
    bool ok = transfer_open(&t, url, err);
    if (ok) {
        curl_easy_setopt(t.easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        ok = transfer_judge(&t, curl_easy_perform(t.easy), url, err);
    }
    if (ok) {
        bytes_append(body, t.body.data, t.body.length);
        *bytes_reserve(body, 1) = '\0';
    }
    transfer_close(&t);
    return ok;
}

bool http_get_json(json_t **out, const char *url, int64_t timeout_ms, struct err *err)
{
    struct bytes body = {0};
    bool ok = http_get(&body, url, timeout_ms, err);
    if (ok) {
        json_error_t where;
        *out = json_loadb((const char *)body.data, body.length, JSON_REJECT_DUPLICATES, &where);
        ok = json_is_object(*out);
        if (!ok) {
            json_decref(*out);
            err_set(err, ERR_INVALID, "%s: the answer is not a JSON object", url);
        }
    }
    bytes_clear(&body);
    return ok;
}

// Runs the transfer until it ends or a stop is requested, asleep on both.
static CURLcode run_until_stop(CURLM *multi)
{
    int running = 1;
    while (running > 0 && !stop_requested()) {
        struct curl_waitfd stop = {.fd = stop_fd(), .events = CURL_WAIT_POLLIN};
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_RECV_ERROR;
        if (running > 0 && curl_multi_poll(multi, &stop, 1, 1000, NULL) != CURLM_OK)
            return CURLE_RECV_ERROR;
    }
    int left;
    const CURLMsg *ended = curl_multi_info_read(multi, &left);
    return ended == NULL ? CURLE_OK : ended->data.result;
}

bool http_get_lines(const char *url, int64_t timeout_ms,
                    void (*on_line)(const char *line, size_t length, void *ctx), void *ctx,
                    struct err *err)
{
    struct transfer t = {.bytes_max = HTTP_LINE_BYTES_MAX, .on_line = on_line, .ctx = ctx};
    bool ok = transfer_open(&t, url, err);
    if (ok) {
        curl_easy_setopt(t.easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
        CURLM *multi = curl_multi_init();
        CHECK(multi != NULL);
        curl_multi_add_handle(multi, t.easy);
        const CURLcode code = run_until_stop(multi);
        ok = stop_requested() || transfer_judge(&t, code, url, err);
        curl_multi_remove_handle(multi, t.easy);
        curl_multi_cleanup(multi);
    }
    transfer_close(&t);
    return ok;
}
