// SPDX-License-Identifier: Apache-2.0
// A lesson: a connection for every call against one that is kept. The same users, the same adds.
import { Trend } from 'k6/metrics';
import { Adder, NO_FAILED_ADD, anyNumber } from './lib/abacus.js';
import { TREND_STATS, seconds, span, users } from './lib/settings.js';
import { latency, summary, values } from './lib/summary.js';

// Wrong: connect, add, close, with every add. Each pays a TCP handshake, HTTP/2's settings and a
// new window, on both sides; with TLS far more. Many gRPC examples do it, and some pools.
// Right: connect once a user and keep it. gRPC makes many calls at once over one connection.
const duration_s = seconds(20);
const round_ms = new Trend('round', true); // with what the connection costs

function scenario(exec, start_s) {
  return { executor: 'constant-vus', vus: users(50), duration: span(duration_s / 2),
    startTime: span(start_s), exec };
}

export const options = {
  scenarios: { wrong: scenario('wrong', 0), right: scenario('right', duration_s / 2 + 1) },
  thresholds: {
    ...NO_FAILED_ADD,
    ...Object.fromEntries(['wrong', 'right'].flatMap(way => [
      [`round{scenario:${way}}`, ['max>=0']], // these always hold: they keep the two apart
      [`adds{scenario:${way}}`, ['count>0']],
      [`connects{scenario:${way}}`, ['count>0']],
    ])),
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();

function round(keep) {
  const begun_ms = Date.now();
  adder.add(anyNumber(), anyNumber());
  if (!keep) adder.close();
  round_ms.add(Date.now() - begun_ms);
}

export const wrong = () => round(false);
export const right = () => round(true);

export const handleSummary = summary('connections', data => ['wrong', 'right'].map(way => {
  const of = metric => values(data, `${metric}{scenario:${way}}`);
  return [`${way}: adds, connections`, `${(of('adds').count / (duration_s / 2)).toFixed(0)}/s, ` +
    `${of('connects').count}; a round p50 / p95 / p99 / max ${latency(of('round'))}`];
}));
