// SPDX-License-Identifier: Apache-2.0
#include "adder/flight.h"

#include "metric_value.h"

#define SENT(topic, error)                                                                     \
    "messaging_client_sent_messages_total{messaging_operation_name=\"send\",messaging_system=" \
    "\"kafka\",messaging_destination_name=\"" topic "\"" error "}"
#define DURATION(topic)                                                                        \
    "messaging_client_operation_duration_seconds_count{messaging_operation_name=\"send\","     \
    "messaging_operation_type=\"send\",messaging_system=\"kafka\",messaging_destination_name=" \
    "\"" topic "\"}"

static void hand_over(struct flight *f, int64_t first, int64_t last)
{
    flight_clock(f);
    for (int64_t sequence = first; sequence <= last; sequence++)
        flight_handed(f, &(struct event){.sequence = sequence});
}

static void each_acknowledged_event_is_counted_with_its_duration(void **state)
{
    (void)state;
    struct flight f;
    flight_begin(&f, &(struct send_place){"all", "client", 0}, 100);
    hand_over(&f, 101, 350);
    hand_over(&f, 351, 400);
    flight_count(&f, 107);
    assert_true(metric_value(SENT("all", "")) == 7);
    hand_over(&f, 401, 4000);
    flight_count(&f, 4000);
    assert_true(metric_value(SENT("all", "")) == 3900);
    assert_true(metric_value(DURATION("all")) == 3900);
    flight_end(&f, 4000, "_FATAL");
    assert_true(metric_value(SENT("all", ",error_type=\"_FATAL\"")) == 0);
}

static void what_is_on_its_way_at_the_end_is_counted_as_an_error(void **state)
{
    (void)state;
    struct flight f;
    flight_begin(&f, &(struct send_place){"some", "client", 0}, 0);
    hand_over(&f, 1, 50);
    flight_count(&f, 20);
    flight_end(&f, 50, "_FATAL");
    assert_true(metric_value(SENT("some", "")) == 20);
    assert_true(metric_value(DURATION("some")) == 20);
    assert_true(metric_value(SENT("some", ",error_type=\"_FATAL\"")) == 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_acknowledged_event_is_counted_with_its_duration),
        cmocka_unit_test(what_is_on_its_way_at_the_end_is_counted_as_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
