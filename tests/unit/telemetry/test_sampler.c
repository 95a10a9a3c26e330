// SPDX-License-Identifier: Apache-2.0
#include "telemetry/sampler.h"

#include "random.h"

#include <string.h>

static struct trace_context trace_of(uint64_t high, uint64_t low)
{
    char text[TRACEPARENT_LENGTH + 1];
    struct trace_context context;
    snprintf(text, sizeof(text), "00-%016" PRIx64 "%016" PRIx64 "-00f067aa0ba902b7-03", high, low);
    EXPECT(trace_context_parse(text, strlen(text), &context), "%s: no traceparent", text);
    return context;
}

static void every_sampler_of_the_specification_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool parent_based, ratio, all;
    } table[] = {
        {"always_on", false, false, true},
        {"always_off", false, false, false},
        {"traceidratio", false, true, true}, // without a ratio: 1
        {"parentbased_always_on", true, false, true},
        {"parentbased_always_off", true, false, false},
        {"parentbased_traceidratio", true, true, true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sampler sampler;
        bool ratio;
        EXPECT(sampler_find(table[i].name, &sampler, &ratio), "%s: not known", table[i].name);
        EXPECT(sampler.parent_based == table[i].parent_based && ratio == table[i].ratio &&
                   sampler.threshold == (table[i].all ? 0 : SAMPLER_NONE),
               "%s: parent based %d, ratio %d, threshold %" PRIu64, table[i].name,
               sampler.parent_based, ratio, sampler.threshold);
    }
    struct sampler sampler;
    bool ratio;
    assert_false(sampler_find("jaeger_remote", &sampler, &ratio));
    assert_false(sampler_find("", &sampler, &ratio));
}

static void a_ratio_is_a_number_from_0_to_1(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        uint64_t threshold;
    } table[] = {
        {"1", true, 0},
        {"1.0", true, 0},
        {"0", true, SAMPLER_NONE},
        {"0.0", true, SAMPLER_NONE},
        {"0.5", true, SAMPLER_NONE / 2},
        {"0.25", true, SAMPLER_NONE / 4 * 3},
        {"5e-1", true, SAMPLER_NONE / 2},
        {"", false, 0},
        {"half", false, 0},
        {"0.5x", false, 0},
        {"-0.1", false, 0},
        {"1.01", false, 0},
        {"nan", false, 0},
        {"inf", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sampler sampler = {.threshold = 0};
        EXPECT(sampler_ratio(table[i].text, &sampler) == table[i].good, "\"%s\": taken is %d",
               table[i].text, !table[i].good);
        EXPECT(sampler.threshold == table[i].threshold, "\"%s\": threshold %" PRIu64, table[i].text,
               sampler.threshold);
    }
}

static void the_last_56_bits_of_the_trace_decide(void **state)
{
    (void)state;
    const struct sampler half = {.threshold = SAMPLER_NONE / 2};
    static const struct {
        uint64_t high, low;
        bool taken;
    } table[] = {
        {1, 0x0080000000000000, true},           {1, 0x007fffffffffffff, false},
        {1, 0xff7fffffffffffff, false}, // the first bits count for nothing
        {UINT64_MAX, 0xff00000000000000, false}, {1, 0x00ffffffffffffff, true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct trace_context context = trace_of(table[i].high, table[i].low);
        EXPECT(sampler_takes(&half, &context) == table[i].taken, "%s: taken is %d",
               context.traceparent, !table[i].taken);
    }
    const struct trace_context most = trace_of(UINT64_MAX, UINT64_MAX), least = trace_of(1, 0);
    assert_true(sampler_takes(&(struct sampler){.threshold = 0}, &least));
    assert_false(sampler_takes(&(struct sampler){.threshold = SAMPLER_NONE}, &most));
}

static void so_many_traces_are_taken_as_the_ratio_says(void **state)
{
    (void)state;
    static const char *const ratios[] = {"0.01", "0.1", "0.5", "0.9"};
    uint64_t seed = 42; // fixed ids: the counts are always the same
    int taken[COUNT_OF(ratios)] = {0};
    for (int n = 0; n < 20000; n++) {
        const struct trace_context context = trace_of(random_next(&seed) | 1, random_next(&seed));
        bool above = false; // what a smaller ratio takes, a larger one takes too
        for (size_t i = 0; i < COUNT_OF(ratios); i++) {
            struct sampler sampler = {.threshold = 0};
            assert_true(sampler_ratio(ratios[i], &sampler));
            const bool takes = sampler_takes(&sampler, &context);
            EXPECT(takes || !above, "%s: only the smaller ratio takes it", context.traceparent);
            above = takes;
            taken[i] += takes;
        }
    }
    for (size_t i = 0; i < COUNT_OF(ratios); i++) {
        const double want = 20000 * strtod(ratios[i], NULL);
        EXPECT(taken[i] > want * 0.85 && taken[i] < want * 1.15, "ratio %s: %d of 20000 taken",
               ratios[i], taken[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampler_of_the_specification_is_known),
        cmocka_unit_test(a_ratio_is_a_number_from_0_to_1),
        cmocka_unit_test(the_last_56_bits_of_the_trace_decide),
        cmocka_unit_test(so_many_traces_are_taken_as_the_ratio_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
