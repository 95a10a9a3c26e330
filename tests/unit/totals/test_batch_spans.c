// SPDX-License-Identifier: Apache-2.0
// Which spans a batch makes: the functions of trace.h are this test's own and keep what they get.
#include "totals/batch_spans.h"

#include "telemetry/trace.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 2048

static struct {
    bool on;
    struct batch_spans spans; // whose texts the kept spans have
    size_t count;
    struct kept {
        struct span span;
        char *attributes; // "key=value;key=value;"
    } kept[SPANS_MAX];
} tracer;

bool trace_enabled(void)
{
    return tracer.on;
}

bool trace_begin(const struct trace_context *parent, struct trace_context *context)
{
    *context = trace_context_make(parent, true);
    return true;
}

void span_text(struct span *span, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        span->attributes[span->attributes_count++] = (struct span_attribute){key, text, 0};
}

void span_number(struct span *span, const char *key, int64_t number)
{
    span->attributes[span->attributes_count++] = (struct span_attribute){key, NULL, number};
}

void trace_end(const struct span *span)
{
    assert_in_range(tracer.count, 0, SPANS_MAX - 1);
    struct kept *kept = &tracer.kept[tracer.count++];
    kept->span = *span;
    kept->attributes = xstrdup(";");
    for (size_t i = 0; i < span->attributes_count; i++) {
        const struct span_attribute *a = &span->attributes[i];
        char *before = kept->attributes;
        kept->attributes = a->text != NULL
                               ? xasprintf("%s%s=%s;", before, a->key, a->text)
                               : xasprintf("%s%s=%lld;", before, a->key, (long long)a->number);
        free(before);
    }
}

static void has(size_t index, const char *attribute)
{
    char *wanted = xasprintf(";%s;", attribute);
    EXPECT(strstr(tracer.kept[index].attributes, wanted) != NULL, "span %zu: no %s in %s", index,
           attribute, tracer.kept[index].attributes);
    free(wanted);
}

static void has_no(size_t index, const char *key)
{
    EXPECT(strstr(tracer.kept[index].attributes, key) == NULL, "span %zu: %s in %s", index, key,
           tracer.kept[index].attributes);
}

// --- a batch ---
static struct batch *batch_create(size_t count)
{
    static const struct trace_context none;
    struct batch *b = xcalloc(1, sizeof(*b));
    b->count = count;
    for (size_t i = 0; i < count; i++) {
        b->entries[i] =
            (struct ledger_entry){.partition = 3,
                                  .offset = 100 + (int64_t)i,
                                  .event = {.source = {"01234567-89ab-4def-8123-456789abcdef"},
                                            .sequence = 1 + (int64_t)i,
                                            .context = trace_context_make(&none, true)}};
    }
    return b;
}

static void tell(const struct batch *b, enum trace_shape shape, const struct err *err)
{
    batch_spans_clear(&tracer.spans);
    tracer.spans = batch_spans_create(shape, "abacus.sums", "group");
    const struct attempt attempt = {.begin = {1000, 5000000},
                                    .end = {2000, 5000700},
                                    .transaction = err == NULL || err->code != ERR_EXHAUSTED,
                                    .err = err};
    batch_spans_attempt(&tracer.spans, b, &attempt);
    for (size_t i = 0; i < tracer.count; i++) {
        assert_int_equal(tracer.kept[i].span.begin_unix_us, 5000000);
        assert_int_equal(tracer.kept[i].span.end_unix_us, 5000700);
    }
}

static int set_up(void **state)
{
    (void)state;
    tracer.on = true;
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < tracer.count; i++)
        free(tracer.kept[i].attributes);
    tracer.count = 0;
    batch_spans_clear(&tracer.spans);
    tracer.spans.name = NULL;
    free(*state);
    return 0;
}

// --- child ---
static void each_sampled_event_goes_on_in_its_own_trace(void **state)
{
    struct batch *b = *state = batch_create(3);
    b->entries[1].event.context = trace_context_make(&b->entries[1].event.context, false);
    b->entries[2].verdict = APPLY_DUPLICATE;
    tell(b, TRACE_CHILD, NULL);
    assert_int_equal(tracer.count, 4); // two events, two spans each
    for (size_t i = 0; i < 2; i++) {
        const struct ledger_entry *entry = &b->entries[2 * i];
        const struct span *process = &tracer.kept[2 * i].span,
                          *update = &tracer.kept[2 * i + 1].span;
        assert_int_equal(process->kind, SPAN_CONSUMER);
        assert_int_equal(update->kind, SPAN_CLIENT);
        assert_string_equal(update->name, "UPDATE ledger");
        assert_string_equal(process->parent.traceparent, entry->event.context.traceparent);
        assert_true(process->parent_remote);
        assert_int_equal(process->links_count, 1);
        assert_string_equal(process->links[0].traceparent, entry->event.context.traceparent);
        assert_string_equal(update->parent.traceparent, process->context.traceparent);
        assert_false(update->parent_remote);
        assert_null(process->error);
        has(2 * i, "messaging.system=kafka");
        has(2 * i, "messaging.operation.name=process");
        has(2 * i, "messaging.destination.name=abacus.sums");
        has(2 * i, "messaging.destination.partition.id=3");
        has(2 * i, "messaging.consumer.group.name=group");
        has_no(2 * i, "messaging.batch.message_count");
        has(2 * i + 1, "db.operation.batch.size=3");
    }
    has(0, "messaging.kafka.offset=100");
    has(0, "cloudevents.event_id=01234567-89ab-4def-8123-456789abcdef/1");
    has(0, "cloudevents.event_source=/abacus/adder/01234567-89ab-4def-8123-456789abcdef");
    has(0, "abacus.verdict=applied");
    has(2, "messaging.kafka.offset=102");
    has(2, "abacus.verdict=duplicate");
}

static void a_dead_letter_has_an_error_and_says_why(void **state)
{
    struct batch *b = *state = batch_create(2);
    b->entries[0].dead_letter = true;
    b->letters[0].reason = "no header";
    b->entries[1].verdict = APPLY_REFUSED;
    b->letters[1].reason = "too many";
    tell(b, TRACE_CHILD, NULL);
    assert_int_equal(tracer.count, 4);
    assert_string_equal(tracer.kept[0].span.error, "no header");
    has(0, "error.type=dead_letter");
    has_no(0, "cloudevents."); // nothing of it is known
    assert_null(tracer.kept[1].span.error);
    assert_string_equal(tracer.kept[2].span.error, "too many");
    has(2, "error.type=refused");
    has(2, "messaging.message.id=01234567-89ab-4def-8123-456789abcdef/2");
}

static void a_failed_attempt_has_an_error_and_no_verdict(void **state)
{
    struct batch *b = *state = batch_create(1);
    const struct err err = {.code = ERR_UNAVAILABLE, .text = "disk full"};
    tell(b, TRACE_CHILD, &err);
    assert_int_equal(tracer.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(tracer.kept[i].span.error, "disk full");
        has(i, "error.type=unavailable");
        has_no(i, "abacus.verdict");
        has_no(i, "db.operation.batch.size");
    }
}

static void what_is_not_the_ledgers_failure_has_no_span_of_it(void **state)
{
    struct batch *b = *state = batch_create(1);
    const struct err err = {.code = ERR_EXHAUSTED, .text = "no dead letters"};
    tell(b, TRACE_CHILD, &err);
    assert_int_equal(tracer.count, 1);
    assert_string_equal(tracer.kept[0].span.name, "process abacus.sums");
}

// --- link ---
static void a_batch_is_one_trace_with_as_many_spans_as_its_links_need(void **state)
{
    struct batch *b = *state = batch_create(300);
    for (size_t i = 0; i < 10; i++)
        b->entries[i].event.context.traceparent[0] = '\0';
    tell(b, TRACE_LINK, NULL);
    static const size_t links[] = {128, 128, 34};
    assert_int_equal(tracer.count, 2 * COUNT_OF(links));
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        const struct span *process = &tracer.kept[2 * i].span,
                          *update = &tracer.kept[2 * i + 1].span;
        assert_string_equal(process->name, "process abacus.sums");
        assert_string_equal(process->parent.traceparent, "");
        assert_int_equal(process->links_count, links[i]);
        assert_string_equal(update->parent.traceparent, process->context.traceparent);
        has(2 * i, "messaging.batch.message_count=300");
    }
}

static void what_is_not_sampled_makes_no_span(void **state)
{
    struct batch *b = *state = batch_create(2);
    b->entries[0].event.context.traceparent[0] = '\0';
    b->entries[1].event.context = trace_context_make(&b->entries[1].event.context, false);
    tell(b, TRACE_CHILD, NULL);
    tell(b, TRACE_LINK, NULL);
    assert_int_equal(tracer.count, 0);
}

static void with_tracing_off_there_are_no_spans(void **state)
{
    struct batch *b = *state = batch_create(2);
    tracer.on = false;
    tell(b, TRACE_CHILD, NULL);
    tell(b, TRACE_LINK, NULL);
    assert_int_equal(tracer.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_sampled_event_goes_on_in_its_own_trace),
        TEST(a_dead_letter_has_an_error_and_says_why),
        TEST(a_failed_attempt_has_an_error_and_no_verdict),
        TEST(what_is_not_the_ledgers_failure_has_no_span_of_it),
        TEST(a_batch_is_one_trace_with_as_many_spans_as_its_links_need),
        TEST(what_is_not_sampled_makes_no_span),
        TEST(with_tracing_off_there_are_no_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
