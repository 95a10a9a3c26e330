// SPDX-License-Identifier: Apache-2.0
// 1200 users on both services together: each adds over gRPC and reads the total over REST.
import { Adder, FAST_ADDS, FAST_READS, NO_FAILED_ADD, NO_FAILED_READ, Totals, anyNumber,
  oneConnectionEach, rest } from './lib/abacus.js';
import { TREND_STATS, ramped, seconds, users } from './lib/settings.js';
import { summary } from './lib/summary.js';

const user_count = users(1200);

export const options = {
  scenarios: { users: ramped(user_count, seconds(60)) },
  thresholds: {
    ...NO_FAILED_ADD, ...NO_FAILED_READ, ...FAST_ADDS, ...FAST_READS,
    ...oneConnectionEach(user_count),
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();
const totals = new Totals();

export default function () {
  adder.add(anyNumber(), anyNumber());
  totals.read();
  rest(500);
}

export const handleSummary = summary('mix');
