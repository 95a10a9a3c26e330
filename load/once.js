// SPDX-License-Identifier: Apache-2.0
// Exactly once: every add has an id and is sent again on purpose; in the end the sums must agree.
import http from 'k6/http';
import { check, fail, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { Adder, NO_LOST_ADD, addsFailed, complain } from './lib/abacus.js';
import { TOTALS, TREND_STATS, seconds, span, users } from './lib/settings.js';
import { summary, values } from './lib/summary.js';
import { uuid } from './lib/uuid.js';

// The number of adds is known beforehand, and with it the sum: a and b follow from who adds what.
const PACE_S = 0.1;
const duration_s = seconds(30);
const user_count = users(50);
const adds_each = Math.max(1, Math.round(duration_s / PACE_S));
const SENT_AGAIN = 2; // each add, on purpose
const WAIT_S = 60;

const differing = new Counter('answers_differing');

export const options = {
  scenarios: {
    users: { executor: 'per-vu-iterations', vus: user_count, iterations: adds_each,
      maxDuration: span(duration_s * 5 + 60) },
  },
  thresholds: { ...NO_LOST_ADD, answers_differing: ['count==0'], checks: ['rate==1'] },
  summaryTrendStats: TREND_STATS,
  teardownTimeout: `${WAIT_S + 30}s`,
};

const adder = new Adder();
const numbers = (user, round) => [user + round, round];

function total() {
  const response = http.get(`${TOTALS}/v1/total`);
  if (response.status !== 200) fail(`GET /v1/total: status ${response.status}`);
  return { sum: BigInt(response.json('total')), count: BigInt(response.json('count')) };
}

// A total at rest: nothing of an earlier load may arrive during this one.
export function setup() {
  let before = total();
  for (;;) {
    sleep(1);
    const now = total();
    if (now.count === before.count) return { sum: String(now.sum), count: String(now.count) };
    before = now;
  }
}

function sendAgain(a, b, id, first) {
  const answer = adder.insist(a, b, id, WAIT_S);
  if (answer && answer.sequence === first.sequence && answer.sum === first.sum) return;
  complain(`id ${id}: first ${JSON.stringify(first)}, again ${JSON.stringify(answer)}`);
  differing.add(1);
}

export default function () {
  const [a, b] = numbers(__VU, __ITER);
  const id = uuid();
  const first = adder.insist(a, b, id, WAIT_S);
  if (!first) addsFailed.add(true);
  else if (adder.judge(a, b, first))
    for (let time = 0; time < SENT_AGAIN; time++) sendAgain(a, b, id, first);
  sleep(PACE_S / 2);
}

function expectedSum() {
  let sum = 0n;
  for (let user = 1; user <= user_count; user++)
    for (let round = 0; round < adds_each; round++) {
      const [a, b] = numbers(user, round);
      sum += BigInt(a + b);
    }
  return sum;
}

export function teardown(before) {
  const count = BigInt(before.count) + BigInt(user_count * adds_each);
  const sum = BigInt(before.sum) + expectedSum();
  let now = total();
  for (let tries = 0; now.count < count && tries < WAIT_S * 5; tries++) {
    sleep(0.2);
    now = total();
  }
  sleep(1); // whatever would come twice
  now = total();
  const right = check(now, {
    'every add is counted once': seen => seen.count === count,
    'the sums agree': seen => seen.sum === sum,
  });
  if (!right)
    console.error(`wanted ${count} adds, sum ${sum}; counted ${now.count} adds, sum ${now.sum}`);
}

export const handleSummary = summary('once', data => [
  ['adds, each with its id sent again', `${user_count * adds_each}, ${SENT_AGAIN} times`],
  ['answers to the same id that differed', values(data, 'answers_differing').count],
  ['count and sum in the end', data.metrics.checks?.values.fails === 0 ? 'equal' : 'DIFFER'],
]);
