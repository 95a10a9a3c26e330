// SPDX-License-Identifier: Apache-2.0
// 1000 users that only read the total, with the ETag they have; one adds, so that it changes.
import { Adder, FAST_READS, NO_FAILED_ADD, NO_FAILED_READ, Totals, anyNumber, rest }
  from './lib/abacus.js';
import { TREND_STATS, ramped, seconds, span, users } from './lib/settings.js';
import { summary } from './lib/summary.js';

const duration_s = seconds(60);

export const options = {
  scenarios: {
    readers: { ...ramped(users(1000), duration_s), exec: 'read' },
    writer: { executor: 'constant-vus', vus: 1, duration: span(duration_s), exec: 'add' },
  },
  // With a total that changes once a second most of who asks again within that time has it already.
  thresholds: { ...NO_FAILED_ADD, ...NO_FAILED_READ, ...FAST_READS, reads_unchanged: ['count>0'] },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();
const totals = new Totals();

export function read() {
  totals.read();
  rest(250);
}

export function add() {
  adder.add(anyNumber(), anyNumber());
  rest(1000);
}

export const handleSummary = summary('rest');
