// SPDX-License-Identifier: Apache-2.0
#include "cli/verdict.h"

#include "base/int128.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static struct verdict_result PRINTF_LIKE(2, 3) result(enum verdict verdict, const char *fmt, ...)
{
    struct verdict_result r = {.verdict = verdict};
    va_list args;
    va_start(args, fmt);
    vsnprintf(r.text, sizeof(r.text), fmt, args);
    va_end(args);
    return r;
}

static struct verdict_result judge_equal_counts(const struct verdict_input *in,
                                                const struct ledger_view *ledger)
{
    char committed[INT128_TEXT_BYTES], counted[INT128_TEXT_BYTES];
    int128_format(committed, in->sum);
    int128_format(counted, ledger->sum);
    if (in->sum == ledger->sum)
        return result(VERDICT_EQUAL, "%" PRId64 " events, sum %s", in->count, committed);
    return result(VERDICT_DIFFERENT, "%" PRId64 " events both, but sum %s committed, %s counted",
                  in->count, committed, counted);
}

static struct verdict_result judge_behind(const struct verdict_input *in,
                                          const struct ledger_view *ledger)
{
    const int64_t behind = in->count - ledger->count;
    if (in->published < in->count)
        return result(VERDICT_ON_THE_WAY, "%" PRId64 " events to come, %" PRId64 " not in Kafka",
                      behind, in->count - in->published);
    if (in->lag == LAG_UNKNOWN)
        return result(VERDICT_ON_THE_WAY,
                      "%" PRId64 " events to come, totals do not know how many Kafka has", behind);
    if (in->lag > 0)
        return result(VERDICT_ON_THE_WAY, "%" PRId64 " events to come, lag %" PRId64, behind,
                      in->lag);
    const bool holes = ledger->missing_events > 0, tail = ledger->highest < in->count;
    char tail_text[64] = "";
    if (tail)
        snprintf(tail_text, sizeof(tail_text), "all above %" PRId64, ledger->highest);
    return result(VERDICT_LOST, "%" PRId64 " of %" PRId64 " events: %s%s%s", behind, in->count,
                  holes ? ledger->missing : "", holes && tail ? ", and " : "", tail_text);
}

struct verdict_result verdict_judge(const struct verdict_input *in)
{
    static char nothing[] = "";
    const struct ledger_view none = {.missing = nothing};
    const struct ledger_view *ledger = in->ledger == NULL ? &none : in->ledger;
    if (ledger->count != ledger->highest - ledger->missing_events)
        return result(VERDICT_DIFFERENT,
                      "the ledger contradicts itself: %" PRId64 " counted, up to %" PRId64
                      " with %" PRId64 " missing",
                      ledger->count, ledger->highest, ledger->missing_events);
    if (ledger->highest > in->count)
        return result(VERDICT_EXCESS,
                      "%" PRId64 " counted, up to sequence %" PRId64 ", but only %" PRId64
                      " were committed",
                      ledger->count, ledger->highest, in->count);
    if (ledger->count == in->count)
        return judge_equal_counts(in, ledger);
    return judge_behind(in, ledger);
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
#define VERDICT_NAME(name, text) [name] = text,
        VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
    };
    CHECK((size_t)verdict < COUNT_OF(names));
    return names[verdict];
}

bool verdict_final(enum verdict verdict)
{
    return verdict == VERDICT_EXCESS || verdict == VERDICT_DIFFERENT;
}

int verdict_exit(const enum verdict *verdicts, size_t count)
{
    int code = count == 0 ? CLI_UNKNOWN : CLI_OK;
    for (size_t i = 0; i < count; i++) {
        if (verdicts[i] >= VERDICT_LOST)
            return CLI_FAILED;
        if (verdicts[i] != VERDICT_EQUAL)
            code = CLI_UNKNOWN;
    }
    return code;
}
