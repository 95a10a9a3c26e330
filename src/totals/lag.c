// SPDX-License-Identifier: Apache-2.0
#include "totals/lag.h"

#include "base/clock.h"

#include <string.h>

#define SPACING_FIRST_NS NS_PER_S

// How many samples are at or below the ledger's place: they come first.
static size_t passed(const struct lag *lag, int64_t settled_offset)
{
    size_t count = 0;
    while (count < lag->count && lag->samples[count].end_offset <= settled_offset)
        count++;
    return count;
}

// Of those that are passed, only the last can still be asked for.
static void forget_passed(struct lag *lag, int64_t settled_offset)
{
    const size_t count = passed(lag, settled_offset), gone = count > 1 ? count - 1 : 0;
    lag->count -= gone;
    memmove(lag->samples, lag->samples + gone, lag->count * sizeof(*lag->samples));
    if (lag->count < 2)
        lag->spacing_ns = SPACING_FIRST_NS;
}

static void thin_out(struct lag *lag)
{
    lag->count /= 2;
    for (size_t i = 0; i < lag->count; i++)
        lag->samples[i] = lag->samples[2 * i];
    lag->spacing_ns *= 2;
}

void lag_hear(struct lag *lag, struct lag_sample heard, int64_t settled_offset)
{
    if (lag->count > 0 && heard.end_offset < lag->samples[lag->count - 1].end_offset)
        lag->count = 0;
    forget_passed(lag, settled_offset);
    const size_t n = lag->count;
    const bool close = n >= 2 && heard.mono_ns - lag->samples[n - 2].mono_ns < lag->spacing_ns;
    if (close)
        lag->count--; // the newest gives its place
    else if (n == LAG_SAMPLES_MAX)
        thin_out(lag);
    lag->samples[lag->count++] = heard;
}

// When the partition ended at the offset, between two samples of which the second is beyond it.
static int64_t time_between(const struct lag_sample *before, const struct lag_sample *after,
                            int64_t offset)
{
    const double part =
        (double)(offset - before->end_offset) / (double)(after->end_offset - before->end_offset);
    return before->mono_ns + (int64_t)(part * (double)(after->mono_ns - before->mono_ns));
}

int64_t lag_ns(const struct lag *lag, struct lag_sample now, int64_t settled_offset)
{
    if (now.end_offset <= settled_offset || lag->count == 0)
        return 0;
    const size_t count = passed(lag, settled_offset);
    if (count == 0)
        return now.mono_ns - lag->samples[0].mono_ns;
    const struct lag_sample *after = count < lag->count ? &lag->samples[count] : &now;
    return now.mono_ns - time_between(&lag->samples[count - 1], after, settled_offset);
}
