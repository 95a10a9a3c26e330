// SPDX-License-Identifier: Apache-2.0
// A steady load while the services are killed: careful users lose nothing, whoever dies.
import { Trend } from 'k6/metrics';
import { Adder, NO_LOST_ADD, addsFailed, anyNumber } from './lib/abacus.js';
import { TREND_STATS, arriving, number, seconds, users } from './lib/settings.js';
import { latency, summary, values } from './lib/summary.js';
import { uuid } from './lib/uuid.js';

// `./abacus k6 chaos` does the killing; alone, this script waits for somebody else to do so. What
// was acknowledged is compared with the total by `check`, when all is over.
const WAIT_S = number('WAIT_S', 60); // so long a user goes on with one add
const took = new Trend('add_until_answered', true);

export const options = {
  scenarios: {
    users: { ...arriving(number('RATE', 100), seconds(60), 0, users(2000)),
      gracefulStop: `${WAIT_S + 15}s` }, // the last call may take 10 s of its own
  },
  thresholds: NO_LOST_ADD,
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

export default function () {
  const [a, b] = [anyNumber(), anyNumber()];
  const begun_ms = Date.now();
  const answer = adder.insist(a, b, uuid(), WAIT_S);
  took.add(Date.now() - begun_ms);
  if (answer) adder.judge(a, b, answer);
  else addsFailed.add(true);
}

export const handleSummary = summary('chaos', data => [
  ['sent again with the same id', values(data, 'adds_sent_again').count],
  ['until answered: p50 / p95 / p99 / max', latency(values(data, 'add_until_answered'))],
]);
