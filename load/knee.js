// SPDX-License-Identifier: Apache-2.0
// Adds arrive faster step by step, until answers no longer keep up: where is the knee?
import { Adder, NO_LOST_ADD, anyNumber } from './lib/abacus.js';
import { TREND_STATS, arriving, number, seconds, users } from './lib/settings.js';
import { latency, summary, values } from './lib/summary.js';

// Each step half as fast again as the one before. A closed load (users that wait for their answer)
// would never show the knee: it slows down with the system. Here rounds begin at their time, and
// what finds no free user is dropped, which k6 counts.
const steps = number('STEPS', 9);
const first_per_s = number('RATE', 250);
const step_s = seconds(90) / steps;
const KEPT_UP = 0.97; // of what arrived was answered,
const FAST_MS = number('P95_MS', 100); // most of it so fast

const RATES = Array.from({ length: steps }, (_, step) => Math.round(first_per_s * 1.5 ** step));
const name = rate => `at_${rate}`;
const of = (metric, rate) => `${metric}{scenario:${name(rate)}}`;

export const options = {
  scenarios: Object.fromEntries(RATES.map((rate, step) =>
    [name(rate), arriving(rate, step_s, step * step_s, users(1000))])),
  // Sub-metrics exist only for thresholds; those that always hold keep the steps apart.
  thresholds: {
    ...NO_LOST_ADD,
    ...Object.fromEntries(RATES.flatMap(rate => [
      [of('grpc_req_duration', rate), ['max>=0']],
      [of('adds', rate), ['count>=0']],
      [of('dropped_iterations', rate), ['count>=0']],
    ])),
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

export default function () {
  adder.add(anyNumber(), anyNumber());
}

function step(data, rate) {
  const answered_per_s = values(data, of('adds', rate)).count / step_s;
  const took = values(data, of('grpc_req_duration', rate));
  const kept_up = answered_per_s >= KEPT_UP * rate && took['p(95)'] < FAST_MS;
  return { rate, answered_per_s, took, kept_up };
}

export const handleSummary = summary('knee', data => {
  const found = RATES.map(rate => step(data, rate));
  const beyond = found.findIndex(one => !one.kept_up);
  const last = beyond < 0 ? found.length : beyond;
  const side = last === 0 ? 'below ' : beyond < 0 ? 'beyond ' : '';
  return [
    ...found.map(one => [`arriving ${one.rate}/s`,
      `answered ${one.answered_per_s.toFixed(0)}/s, p50 / p95 / p99 / max ${latency(one.took)}`]),
    [`the knee (${KEPT_UP * 100} % answered, p95 under ${FAST_MS} ms)`,
      `${side}${RATES[Math.max(0, last - 1)]}/s`],
  ];
});
