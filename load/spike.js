// SPDX-License-Identifier: Apache-2.0
// A calm load, ten times as much of a sudden, calm again: nothing is lost, and it recovers.
import { Adder, NO_LOST_ADD, anyNumber } from './lib/abacus.js';
import { TREND_STATS, arriving, number, seconds, users } from './lib/settings.js';
import { latency, summary, values } from './lib/summary.js';

const phase_s = seconds(60) / 3;
const calm_per_s = number('RATE', 200);
const PHASES = { before: calm_per_s, spike: calm_per_s * 10, after: calm_per_s };
const vus = users(300); // all there before the load: who comes late would be dropped
const of = phase => `grpc_req_duration{scenario:${phase}}`;

export const options = {
  scenarios: Object.fromEntries(Object.entries(PHASES).map(([name, rate], index) =>
    [name, { ...arriving(rate, phase_s, index * phase_s, vus), preAllocatedVUs: vus }])),
  // A full queue may refuse, at once: no failure of a spike. To stay slow after it would be one.
  thresholds: {
    ...NO_LOST_ADD,
    [of('before')]: ['max>=0'], // only so that the summary tells it apart
    [of('spike')]: ['max>=0'],
    [of('after')]: [`p(95)<${number('P95_MS', 500)}`],
    'adds{scenario:after}': ['count>0'],
    'dropped_iterations{scenario:after}': ['count==0'],
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

export default function () {
  adder.add(anyNumber(), anyNumber());
}

export const handleSummary = summary('spike', data => [
  ...Object.entries(PHASES).map(([name, rate]) =>
    [`${name}, ${rate}/s: p50 / p95 / p99 / max`, latency(values(data, of(name)))]),
  ['rounds that found no free user', values(data, 'dropped_iterations').count],
]);
