// SPDX-License-Identifier: Apache-2.0
// From A to B as a user sees it: adds, then asks totals until that very sum is counted.
import { sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { Adder, NO_FAILED_ADD, NO_FAILED_READ, anyNumber, applied, complain, rest, source }
  from './lib/abacus.js';
import { TREND_STATS, number, seconds, span, users } from './lib/settings.js';
import { latency, summary, values } from './lib/summary.js';

const aToB = new Trend('a_to_b', true); // from the answer to an add to the first read that has it
const late = new Counter('a_to_b_too_late');
const WAIT_S = 30;
const ASK_EVERY_S = 0.002; // so exact is what is measured

export const options = {
  scenarios: {
    users: { executor: 'constant-vus', vus: users(10), duration: span(seconds(30)) },
  },
  thresholds: {
    ...NO_FAILED_ADD,
    ...NO_FAILED_READ,
    a_to_b_too_late: ['count==0'],
    a_to_b: [`p(95)<${number('P95_MS', 500)}`],
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

function awaitApplied(answer) {
  const begun_ms = Date.now();
  while (Date.now() - begun_ms < WAIT_S * 1000) {
    if (applied(source(answer.source), Number(answer.sequence))) {
      aToB.add(Date.now() - begun_ms);
      return;
    }
    sleep(ASK_EVERY_S);
  }
  complain(`sequence ${answer.sequence} is not counted after ${WAIT_S} s`);
  late.add(1);
}

export default function () {
  const answer = adder.add(anyNumber(), anyNumber());
  if (answer) awaitApplied(answer);
  rest(100);
}

export const handleSummary = summary('latency', data => [
  ['counted after: p50 / p95 / p99 / max', latency(values(data, 'a_to_b'))],
]);
