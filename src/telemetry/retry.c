// SPDX-License-Identifier: Apache-2.0
#include "telemetry/retry.h"

#define FIRST_MS 1000
#define MOST_MS  5000

bool retry_status(long status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

int64_t retry_delay_ms(int failures, int64_t retry_after_s, uint32_t random)
{
    if (retry_after_s > 0)
        return 1000 * (retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S);
    int64_t delay_ms = FIRST_MS;
    for (int i = 1; i < failures && delay_ms < MOST_MS; i++)
        delay_ms *= 2;
    delay_ms = delay_ms < MOST_MS ? delay_ms : MOST_MS;
    return delay_ms - delay_ms / 2 * (int64_t)random / UINT32_MAX;
}
