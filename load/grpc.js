// SPDX-License-Identifier: Apache-2.0
// 1000 users that only add, each over a gRPC connection of its own.
import { Adder, FAST_ADDS, NO_FAILED_ADD, anyNumber, oneConnectionEach, rest }
  from './lib/abacus.js';
import { TREND_STATS, ramped, seconds, users } from './lib/settings.js';
import { summary } from './lib/summary.js';

const user_count = users(1000);

export const options = {
  scenarios: { users: ramped(user_count, seconds(60)) },
  thresholds: { ...NO_FAILED_ADD, ...FAST_ADDS, ...oneConnectionEach(user_count) },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

export default function () {
  adder.add(anyNumber(), anyNumber());
  rest(250);
}

export const handleSummary = summary('grpc');
