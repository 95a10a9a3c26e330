// SPDX-License-Identifier: Apache-2.0
// Steady users for long: does the memory of a service grow? Its slope says so before a limit does.
import http from 'k6/http';
import { sleep } from 'k6';
import { Counter, Gauge } from 'k6/metrics';
import { Adder, NO_FAILED_ADD, NO_FAILED_READ, Totals, anyNumber, complain, rest }
  from './lib/abacus.js';
import { ADDER_ADMIN, TOTALS_ADMIN, TREND_STATS, number, seconds, users } from './lib/settings.js';
import { summary, values } from './lib/summary.js';

const duration_s = Math.ceil(seconds(600));
const SERVICES = { adder: ADDER_ADMIN, totals: TOTALS_ADMIN };
const LOOK_EVERY_S = Math.min(1, duration_s / 20);
const SETTLE = 1 / 2; // of the run: connections come, SQLite's page cache fills
const MEMORY = /^process_memory_usage_bytes (\S+)$/m;

const grown = new Gauge('memory_grown_kb'); // slope times time, by service: noise counts little
const watched = new Counter('memory_watched'); // services: a gauge that nobody set is 0, too
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
    memory_watched: [`count==${Object.keys(SERVICES).length}`],
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
  const answer = http.get(`${url}/metrics`, { tags: { name: '/metrics' }, timeout: '10s' });
  const found = MEMORY.exec(answer.body || '');
  return found ? Number(found[1]) : null;
}

// One user does nothing but look.
export function watch() {
  const begun_ms = Date.now();
  const passed_s = () => (Date.now() - begun_ms) / 1000; // not rounds: looking takes time as well
  const seen = Object.fromEntries(Object.keys(SERVICES).map(name => [name, []]));
  while (passed_s() < duration_s) {
    for (const [name, url] of Object.entries(SERVICES)) {
      const bytes = memory_bytes(url);
      if (bytes !== null && passed_s() >= duration_s * SETTLE) seen[name].push([passed_s(), bytes]);
    }
    sleep(LOOK_EVERY_S);
  }
  for (const [service, points] of Object.entries(seen)) report(service, points);
}

function report(service, points) {
  if (points.length < 3) {
    complain(`${service}: ${points.length} samples of its memory are too few`);
    return;
  }
  watched.add(1);
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
