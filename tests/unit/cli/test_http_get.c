// SPDX-License-Identifier: Apache-2.0
#include "cli/http_get.h"

#include "base/stop.h"
#include "http_stub.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

static void good_documents_are_read(void **state)
{
    (void)state;
    static const char *const answers[] = {
        HEAD "Content-Length: 13\r\n\r\n{\"total\":\"5\"}",
        HEAD "\r\n{\"total\":\"5\"}", // ends with the connection
        HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tot\r\n8\r\nal\":\"5\"}\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct http_stub *stub = http_stub_start(answers[i], strlen(answers[i]));
        json_t *document = NULL;
        struct err err = {.text = ""};
        EXPECT(http_get_json(&document, http_stub_url(stub), TIMEOUT_MS, &err), "answer %zu: %s", i,
               err.text);
        assert_string_equal(json_string_value(json_object_get(document, "total")), "5");
        json_decref(document);
        http_stub_stop(stub);
    }
}

static void bad_answers_are_errors_of_their_kind(void **state)
{
    (void)state;
    static const struct {
        const char *what, *answer;
        enum err_code code;
    } table[] = {
        {"nothing", "", ERR_UNAVAILABLE},
        {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", ERR_UNAVAILABLE},
        {"cut short", HEAD "Content-Length: 13\r\n\r\n{\"tot", ERR_UNAVAILABLE},
        {"not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", ERR_NOT_FOUND},
        {"overloaded", "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", ERR_UNAVAILABLE},
        {"elsewhere", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
         ERR_INVALID},
        {"no body", HEAD "Content-Length: 0\r\n\r\n", ERR_INVALID},
        {"no JSON", HEAD "Content-Length: 6\r\n\r\n<html>", ERR_INVALID},
        {"no object", HEAD "Content-Length: 3\r\n\r\n[1]", ERR_INVALID},
        {"more behind it", HEAD "Content-Length: 4\r\n\r\n{}{}", ERR_INVALID},
        {"a name twice", HEAD "Content-Length: 13\r\n\r\n{\"a\":1,\"a\":2}", ERR_INVALID},
        {"larger than allowed", HEAD "Content-Length: 99999999999\r\n\r\n{", ERR_UNAVAILABLE},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct http_stub *stub = http_stub_start(table[i].answer, strlen(table[i].answer));
        json_t *document;
        struct err err = {.text = ""};
        EXPECT(!http_get_json(&document, http_stub_url(stub), TIMEOUT_MS, &err),
               "%s: taken for an answer", table[i].what);
        EXPECT(err.code == table[i].code, "%s: %s (%s), want %s", table[i].what, err_name(err.code),
               err.text, err_name(table[i].code));
        EXPECT(strstr(err.text, http_stub_url(stub)) != NULL, "%s: \"%s\" names no address",
               table[i].what, err.text);
        http_stub_stop(stub);
    }
}

static void a_body_above_the_limit_is_cut_off(void **state)
{
    (void)state;
    static const char head[] = HEAD "\r\n";
    const size_t length = HTTP_BODY_BYTES_MAX + 100000;
    char *answer = malloc(length);
    assert_non_null(answer);
    memset(answer, ' ', length);
    memcpy(answer, head, sizeof(head) - 1);
    struct http_stub *stub = http_stub_start(answer, length);
    struct bytes body = {0};
    struct err err;
    assert_false(http_get(&body, http_stub_url(stub), 60000, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(body.length, 0);
    http_stub_stop(stub);
    bytes_clear(&body);
    free(answer);
}

static void silence_ends_with_the_timeout(void **state)
{
    (void)state;
    struct http_stub *stub = http_stub_start(NULL, 0);
    struct bytes body = {0};
    struct err err;
    assert_false(http_get(&body, http_stub_url(stub), 100, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    http_stub_stop(stub);
    bytes_clear(&body);
}

static void what_is_no_url_is_named(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",        "localhost:8080",      "ftp://127.0.0.1/",       "file:///etc/motd",
        "http://", "http://127.0.0.1:x/", "http://127.0.0.1:99999/"};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes body = {0};
        struct err err = {.text = ""};
        EXPECT(!http_get(&body, table[i], TIMEOUT_MS, &err), "\"%s\" was taken", table[i]);
        EXPECT(err.code == ERR_USAGE, "\"%s\": %s: %s", table[i], err_name(err.code), err.text);
        bytes_clear(&body);
    }
}

static void base_and_path_meet_in_one_slash(void **state)
{
    (void)state;
    static const char *const bases[] = {"http://h:1", "http://h:1/", "http://h:1//"};
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        char *url = url_join(bases[i], "/v1/total");
        assert_string_equal(url, "http://h:1/v1/total");
        free(url);
    }
}

// --- lines ---
static void collect(const char *line, size_t length, void *ctx)
{
    bytes_printf(ctx, "[%.*s]", (int)length, line);
}

static void lines_come_without_their_ends(void **state)
{
    (void)state;
    static const char answer[] = HEAD "\r\na\nbc\r\n\r\n\ndata: x\nnot complete";
    struct http_stub *stub = http_stub_start(answer, sizeof(answer) - 1);
    struct bytes got = {0};
    struct err err = {.text = ""};
    EXPECT(http_get_lines(http_stub_url(stub), TIMEOUT_MS, collect, &got, &err), "%s", err.text);
    assert_string_equal((const char *)got.data, "[a][bc][][][data: x]");
    http_stub_stop(stub);
    bytes_clear(&got);
}

static void lines_of_a_refusal_are_not_given(void **state)
{
    (void)state;
    static const char answer[] = "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\na\nb\n";
    struct http_stub *stub = http_stub_start(answer, sizeof(answer) - 1);
    struct bytes got = {0};
    struct err err = {.text = ""};
    assert_false(http_get_lines(http_stub_url(stub), TIMEOUT_MS, collect, &got, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(got.length, 0);
    http_stub_stop(stub);
}

static void a_line_without_end_is_an_error(void **state)
{
    (void)state;
    static char answer[HTTP_LINE_BYTES_MAX + 1000] = HEAD "\r\n";
    memset(answer + strlen(answer), 'x', sizeof(answer) - strlen(answer));
    struct http_stub *stub = http_stub_start(answer, sizeof(answer));
    struct bytes got = {0};
    struct err err = {.text = ""};
    assert_false(http_get_lines(http_stub_url(stub), TIMEOUT_MS, collect, &got, &err));
    assert_int_equal(err.code, ERR_INVALID);
    http_stub_stop(stub);
}

static void stop_at_first_line(const char *line, size_t length, void *ctx)
{
    collect(line, length, ctx);
    stop_request();
}

// The last test: there is no way back from a stop.
static void a_stop_request_ends_an_endless_answer(void **state)
{
    (void)state;
    static const char answer[] = HEAD "Content-Length: 1000000\r\n\r\na\n";
    struct http_stub *stub = http_stub_start(answer, sizeof(answer) - 1);
    struct bytes got = {0};
    struct err err = {.text = ""};
    assert_true(http_get_lines(http_stub_url(stub), TIMEOUT_MS, stop_at_first_line, &got, &err));
    assert_string_equal((const char *)got.data, "[a]");
    http_stub_stop(stub);
    bytes_clear(&got);
}

int main(void)
{
    stop_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_documents_are_read),
        cmocka_unit_test(bad_answers_are_errors_of_their_kind),
        cmocka_unit_test(a_body_above_the_limit_is_cut_off),
        cmocka_unit_test(silence_ends_with_the_timeout),
        cmocka_unit_test(what_is_no_url_is_named),
        cmocka_unit_test(base_and_path_meet_in_one_slash),
        cmocka_unit_test(lines_come_without_their_ends),
        cmocka_unit_test(lines_of_a_refusal_are_not_given),
        cmocka_unit_test(a_line_without_end_is_an_error),
        cmocka_unit_test(a_stop_request_ends_an_endless_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
