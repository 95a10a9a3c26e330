// SPDX-License-Identifier: Apache-2.0
#include "adder/call_metrics.h"

#include "adder/add_service.h"

#include "metric_value.h"

#include <math.h>

#define DURATION(what, method, status, error)                                                 \
    "rpc_server_call_duration_seconds_" what "{rpc_system_name=\"grpc\",rpc_method=\"" method \
    "\",rpc_response_status_code=\"" status "\"" error "}"

static void calls_are_counted_by_method_and_status(void **state)
{
    (void)state;
    static const struct writer_job job; // without context
    static const struct {
        struct grpc_call_end end;
        const char *count, *sum;
    } table[] = {
        {{"abacus.v1.Adder/Add", 0, GRPC_OK, 2000000, &job},
         DURATION("count", "abacus.v1.Adder/Add", "OK", ""),
         DURATION("sum", "abacus.v1.Adder/Add", "OK", "")},
        // A client's mistake is no error of the server.
        {{"abacus.v1.Adder/Add", 0, GRPC_OUT_OF_RANGE, 3000000, &job},
         DURATION("count", "abacus.v1.Adder/Add", "OUT_OF_RANGE", ""),
         DURATION("sum", "abacus.v1.Adder/Add", "OUT_OF_RANGE", "")},
        {{"abacus.v1.Adder/Add", 0, GRPC_UNAVAILABLE, 4000000, &job},
         DURATION("count", "abacus.v1.Adder/Add", "UNAVAILABLE", ",error_type=\"UNAVAILABLE\""),
         DURATION("sum", "abacus.v1.Adder/Add", "UNAVAILABLE", ",error_type=\"UNAVAILABLE\"")},
        {{"grpc.health.v1.Health/Check", 1, GRPC_OK, 5000000, NULL},
         DURATION("count", "grpc.health.v1.Health/Check", "OK", ""),
         DURATION("sum", "grpc.health.v1.Health/Check", "OK", "")},
        {{"_OTHER", 2, GRPC_UNIMPLEMENTED, 6000000, NULL},
         DURATION("count", "_OTHER", "UNIMPLEMENTED", ",error_type=\"UNIMPLEMENTED\""),
         DURATION("sum", "_OTHER", "UNIMPLEMENTED", ",error_type=\"UNIMPLEMENTED\"")},
    };
    struct call_metrics *m = call_metrics_create(2);
    for (int round = 1; round <= 3; round++) {
        for (size_t i = 0; i < COUNT_OF(table); i++) {
            call_metrics_on_end(&table[i].end, m);
            const double count = metric_value(table[i].count), sum = metric_value(table[i].sum);
            EXPECT(count == round, "%s is %g, want %d", table[i].count, count, round);
            EXPECT(fabs(sum * 1e9 - (double)(round * table[i].end.duration_ns)) < 1, "%s is %g",
                   table[i].sum, sum);
        }
    }
    call_metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_by_method_and_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
