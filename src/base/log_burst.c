// SPDX-License-Identifier: Apache-2.0
#include "base/log_burst.h"

#include "base/clock.h"

#include <string.h>

static bool over(const struct log_place *place, int64_t now_mono_ns)
{
    return place->fmt == NULL || now_mono_ns - place->begun_mono_ns >= LOG_BURST_S * NS_PER_S;
}

bool log_burst_take(struct log_burst *burst, int64_t now_mono_ns, struct log_place *out)
{
    for (size_t i = 0; i < LOG_PLACES_MAX; i++) {
        struct log_place *place = &burst->places[i];
        if (place->left_out == 0 || !over(place, now_mono_ns))
            continue;
        *out = *place;
        *place = (struct log_place){.fmt = NULL};
        return true;
    }
    return false;
}

// The speaker's place, or one that nobody needs any more; NULL: there is neither.
static struct log_place *find(struct log_burst *burst, const struct log_place *speaker,
                              int64_t now_mono_ns)
{
    struct log_place *unused = NULL;
    for (size_t i = 0; i < LOG_PLACES_MAX; i++) {
        struct log_place *place = &burst->places[i];
        if (over(place, now_mono_ns))
            unused = place;
        else if (place->fmt == speaker->fmt && strcmp(place->module, speaker->module) == 0)
            return place;
    }
    return unused;
}

bool log_burst_keep(struct log_burst *burst, const struct log_place *speaker, int64_t now_mono_ns)
{
    struct log_place *place = find(burst, speaker, now_mono_ns);
    if (place == NULL)
        return true;
    if (over(place, now_mono_ns)) {
        *place = *speaker;
        place->begun_mono_ns = now_mono_ns;
        place->said = place->left_out = 0;
    }
    if (place->said == LOG_BURST) {
        place->left_out++;
        return false;
    }
    place->said++;
    return true;
}
