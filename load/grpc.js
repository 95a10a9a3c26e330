// SPDX-License-Identifier: Apache-2.0
// 1000 users that only add, each over a gRPC connection of its own.
import { Adder, FAST_ADDS, NO_FAILED_ADD, anyNumber, rest } from './lib/abacus.js';
import { TREND_STATS, ramped, seconds, users } from './lib/settings.js';
import { summary } from './lib/summary.js';

export const options = {
  scenarios: { users: ramped(users(1000), seconds(60)) },
  thresholds: { ...NO_FAILED_ADD, ...FAST_ADDS },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

export default function () {
  adder.add(anyNumber(), anyNumber());
  rest(250);
}

export const handleSummary = summary('grpc');
