// SPDX-License-Identifier: Apache-2.0
// Steady users for long: does the memory of a service grow? Its slope says so before a limit does.
import http from 'k6/http';
import { sleep } from 'k6';
import { Gauge } from 'k6/metrics';
import { Adder, NO_FAILED_ADD, NO_FAILED_READ, Totals, anyNumber, complain, rest }
  from './lib/abacus.js';
import { ADDER_ADMIN, TOTALS_ADMIN, TREND_STATS, number, seconds, users } from './lib/settings.js';
import { summary, values } from './lib/summary.js';

const duration_s = Math.ceil(seconds(600));
const SERVICES = { adder: ADDER_ADMIN, totals: TOTALS_ADMIN };
const SETTLE = 1 / 2; // of the run: connections come, SQLite's page cache fills
const MEMORY = /^process_memory_usage_bytes (\S+)$/m;

const grown = new Gauge('memory_grown_kb'); // slope times time, by service: noise counts little
const slope = new Gauge('memory_slope_kb_per_min');

export const options = {
  scenarios: {
    users: { executor: 'constant-vus', vus: users(200), duration: `${duration_s}s`, exec: 'use' },
    watch: { executor: 'per-vu-iterations', vus: 1, iterations: 1, exec: 'watch',
      maxDuration: `${duration_s + 60}s` },
  },
  thresholds: {
    ...NO_FAILED_ADD,
    ...NO_FAILED_READ,
    ...Object.fromEntries(Object.keys(SERVICES).flatMap(name => [
      [`memory_grown_kb{service:${name}}`, [`value<${number('GROWN_KB', 2048)}`]],
      [`memory_slope_kb_per_min{service:${name}}`, ['value>-1e9']], // for the summary
    ])),
  },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();
const totals = new Totals();

export function use() {
  adder.add(anyNumber(), anyNumber());
  totals.read();
  rest(200);
}

// Least squares: bytes a second.
function slopeOf(points) {
  const mean = index => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const across = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return across / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

function memory_bytes(url) {
  const found = MEMORY.exec(http.get(`${url}/metrics`, { tags: { name: '/metrics' } }).body || '');
  return found ? Number(found[1]) : null;
}

// One user does nothing but look.
export function watch() {
  const begun_ms = Date.now();
  const seen = Object.fromEntries(Object.keys(SERVICES).map(name => [name, []]));
  for (let second = 0; second < duration_s; second++) {
    for (const [name, url] of Object.entries(SERVICES)) {
      const bytes = memory_bytes(url);
      if (bytes !== null && second >= duration_s * SETTLE)
        seen[name].push([(Date.now() - begun_ms) / 1000, bytes]);
    }
    sleep(1);
  }
  for (const [service, points] of Object.entries(seen)) report(service, points);
}

function report(service, points) {
  if (points.length < 3) {
    complain(`${service}: ${points.length} samples of its memory are too few`);
    grown.add(Infinity, { service });
    return;
  }
  const bytes_per_s = slopeOf(points);
  slope.add((bytes_per_s * 60) / 1024, { service });
  grown.add((bytes_per_s * (points.at(-1)[0] - points[0][0])) / 1024, { service });
}

export const handleSummary = summary('soak', data => Object.keys(SERVICES).map(name => [
  `memory of ${name}`,
  `grew ${values(data, `memory_grown_kb{service:${name}}`).value.toFixed(0)} KB in ` +
    `${(duration_s * (1 - SETTLE)).toFixed(0)} s, ` +
    `${values(data, `memory_slope_kb_per_min{service:${name}}`).value.toFixed(1)} KB a minute`,
]));
