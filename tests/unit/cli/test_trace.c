// SPDX-License-Identifier: Apache-2.0
// abacus-cli trace over planted files: what a learner sees, and what is said when there is nothing.
#include "cli/cli.h"
#include "cli/trace_print.h"

#include "base/bytes.h"
#include "base/stop.h"

#include "scratch.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define OTHER "1af7651916cd43dd8448eb211c80319c"
#define BEGIN "17000000000"

#define SPAN(trace, id, parent, name, kind, from_us, to_us, rest)                               \
    "{\"traceId\":\"" trace "\",\"spanId\":\"00000000000000" id "\",\"parentSpanId\":\"" parent \
    "\",\"name\":\"" name "\",\"kind\":" kind ",\"startTimeUnixNano\":\"" BEGIN from_us         \
    "000\",\"endTimeUnixNano\":\"" BEGIN to_us "000\"" rest "}"
#define LINE(service, spans)                                                                  \
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":" \
    "{\"stringValue\":\"" service "\"}}]},\"scopeSpans\":[{\"spans\":[" spans "]}]}]}\n"
#define ID(id) "00000000000000" id

static const char planted[] = "no json at all\n" LINE(
    "abacus-cli", SPAN(TRACE, "01", "", "abacus.v1.Adder/Add", "3", "00000", "04000", ""))
    LINE("abacus-adder",
         SPAN(TRACE, "03", ID("02"), "INSERT outbox", "3", "01000", "02000",
              ",\"attributes\":[{\"key\":\"db.operation.batch.size\",\"value\":{\"intValue\":"
              "\"7\"}}]") "," SPAN(TRACE, "02", ID("01"), "abacus.v1.Adder/Add", "2", "00500",
                                   "03000", ""))
        LINE("abacus-totals",
             SPAN(TRACE, "04", ID("02"), "process abacus.sums", "5", "05000", "08000",
                  ",\"status\":{\"code\":2,\"message\":\"the disk\\u009b is "
                  "\\u001b[1m full\"}") "," SPAN(OTHER, "05", "", "process abacus.sums", "5",
                                                 "05000", "08000",
                                                 ",\"links\":[{\"traceId\":\"" TRACE
                                                 "\",\"spanId\":\"" ID("02") "\"}]"));

struct rig {
    char *folder, *file;
};

// Runs the command and gives all that it printed.
static int run(struct rig *rig, const char *id, struct bytes *said)
{
    char *argv[] = {"trace", "--wait-ms", "0", "--file", rig->file, (char *)(uintptr_t)id, NULL};
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    const int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    const int code = trace_main(id == NULL ? 5 : 6, argv);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close(out);
    close(errors);
    rewind(file);
    bytes_reset(said);
    said->length = fread(bytes_reserve(said, 8192), 1, 8191, file);
    said->data[said->length] = '\0';
    fclose(file);
    return code;
}

static void plant(struct rig *rig, const char *content)
{
    FILE *file = fopen(rig->file, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static const char wanted[] = "trace " TRACE ": 4 spans, 8.000 ms\n"
                             "\n"
                             "span                     service        begin ms   took ms\n"
                             "abacus.v1.Adder/Add      abacus-cli        0.000     4.000  "
                             "====================\n"
                             "  abacus.v1.Adder/Add    abacus-adder      0.500     2.500  "
                             "  =============\n"
                             "    INSERT outbox        abacus-adder      1.000     1.000  "
                             "     =====                                batch 7\n"
                             "    process abacus.sums  abacus-totals     5.000     3.000  "
                             "                         ===============  the disk  is  [1m full\n"
                             "\nspans elsewhere that link to it: 1, such as in trace " OTHER "\n";

static void a_trace_is_drawn(void **state)
{
    struct rig *rig = *state;
    struct bytes said = {0};
    static const char *const names[] = {NULL, TRACE, "0AF7651916CD43DD8448EB211C80319C",
                                        "00-" TRACE "-b7ad6b7169203331-01"};
    plant(rig, planted);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const int code = run(rig, names[i], &said);
        EXPECT(code == CLI_OK && strcmp((const char *)said.data, wanted) == 0,
               "%s: exit code %d, got\n%swant\n%s", names[i] == NULL ? "no id" : names[i], code,
               (const char *)said.data, wanted);
    }
    bytes_clear(&said);
}

static void what_is_not_there_is_told(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *id, *content, *text;
        int code;
    } table[] = {
        {"ffffffffffffffffffffffffffffffff", planted, "is not in", CLI_FAILED},
        {"xyz", planted, "\"xyz\" is no trace id", CLI_UNKNOWN},
        {"00000000000000000000000000000000", planted, "is no trace id", CLI_UNKNOWN},
        {TRACE "00", planted, "is no trace id", CLI_UNKNOWN},
        {NULL, "", "no trace of an add", CLI_FAILED},
        {NULL, "{}\n{\"resourceSpans\":7}\nx\n", "no trace of an add", CLI_FAILED},
        {NULL, LINE("x", SPAN(TRACE, "01", "", "GET /metrics", "2", "00000", "00001", "")),
         "no trace of an add", CLI_FAILED},
        {TRACE, NULL, "No such file or directory (does ./abacus up --observe run?)", CLI_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct bytes said = {0};
        if (table[i].content != NULL)
            plant(rig, table[i].content);
        else
            unlink(rig->file);
        const int code = run(rig, table[i].id, &said);
        EXPECT(code == table[i].code, "row %zu: exit code %d, want %d", i, code, table[i].code);
        EXPECT(strstr((const char *)said.data, table[i].text) != NULL, "row %zu: \"%s\" without %s",
               i, (const char *)said.data, table[i].text);
        bytes_clear(&said);
    }
}

// Lines that break rules are passed over one by one.
static void odd_spans_are_left_out(void **state)
{
    struct rig *rig = *state;
    struct bytes said = {0};
    plant(rig,
          LINE("x", SPAN(TRACE, "1", "", "short id", "2", "00000", "00001", "") "," SPAN(
                        TRACE, "zz", "", "no hex", "2", "00000", "00001",
                        "") "," SPAN(TRACE, "01", "7", "short parent", "2", "00000", "00001",
                                     "") "," SPAN(TRACE, "02", "", "ends before it begins", "2",
                                                  "00002", "00001",
                                                  "") ",{},7," SPAN(TRACE, "03", "", "sane", "2",
                                                                    "00000", "00001", "")));
    assert_int_equal(run(rig, TRACE, &said), CLI_OK);
    assert_non_null(strstr((const char *)said.data, ": 1 spans"));
    assert_non_null(strstr((const char *)said.data, "sane"));
    bytes_clear(&said);
}

// However narrow the terminal, whatever the name: no row is wider, and every bar is seen.
static void rows_fit_the_terminal(void **state)
{
    (void)state;
    struct trace_spans spans = {.items = NULL};
    struct trace_tree tree;
    const struct otlp_span span = {
        .span_id = "a",
        .parent_id = "",
        .name = "a name that is much longer than anybody would ever want to read in a table",
        .service = "Ünïcödé",
        .begin_unix_ns = 1,
        .end_unix_ns = 1,
        .error = "why it failed, at some length, so that it does not fit",
    };
    trace_spans_add(&spans, &span);
    trace_tree_build(&tree, &spans);
    for (size_t columns = 100; columns < 200; columns++) {
        const struct trace_look look = {.columns = columns, .utf8 = true};
        struct bytes out = {0};
        trace_print(&out, TRACE, &tree, &look);
        char *rest = (char *)out.data, *line;
        while ((line = strsep(&rest, "\n")) != NULL) {
            size_t width = 0;
            for (const char *at = line; *at != '\0'; at++)
                width += (*at & 0xc0) != 0x80;
            EXPECT(width <= columns, "%zu columns: %zu wide: %s", columns, width, line);
        }
        bytes_clear(&out);
    }
    trace_tree_clear(&tree);
    trace_spans_clear(&spans);
}

static int set_up(void **state)
{
    static struct rig rig;
    rig.folder = scratch_create();
    rig.file = xasprintf("%s/traces.json", rig.folder);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    scratch_remove(rig->folder);
    free(rig->file);
    return 0;
}

int main(void)
{
    stop_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_drawn),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(odd_spans_are_left_out),
        cmocka_unit_test(rows_fit_the_terminal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
