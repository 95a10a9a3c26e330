// SPDX-License-Identifier: Apache-2.0
// What a run may be told, all by environment (k6 run -e NAME=VALUE):
//
//   ABACUS_GRPC          the adder's gRPC, HOST:PORT
//   ABACUS_REST          the REST service of totals, http://HOST:PORT
//   ABACUS_ADDER_ADMIN   the adder's admin port, http://HOST:PORT
//   ABACUS_TOTALS_ADMIN  totals' admin port (soak only)
//   ABACUS_PROTO_DIR     the folder of adder.proto
//   USERS, DURATION      how many (knee, spike, chaos: at most) and how long ("90s", "2m"); each
//                        script has its own usual values
//   PAUSE_MS             how long a user rests between two rounds
//   P95_MS               the latency that 95 % of the calls must keep
//   OUT                  a folder for summary.json and summary.md; none: only the terminal
//
// Not K6_VUS and K6_DURATION: those silently replace the scenarios of a script.

export const ADDER = __ENV.ABACUS_GRPC || '127.0.0.1:50051';
export const TOTALS = __ENV.ABACUS_REST || 'http://127.0.0.1:8080';
export const ADDER_ADMIN = __ENV.ABACUS_ADDER_ADMIN || 'http://127.0.0.1:9464';
export const TOTALS_ADMIN = __ENV.ABACUS_TOTALS_ADMIN || 'http://127.0.0.1:9465';
export const PROTO_DIR = __ENV.ABACUS_PROTO_DIR ||
  import.meta.resolve('../../proto/abacus/v1').replace('file://', '');
export const OUT = __ENV.OUT || '';

export function number(name, usual) {
  const value = __ENV[name] ? Number(__ENV[name]) : usual;
  if (!(value >= 0)) throw new Error(`${name}: "${__ENV[name]}" is no number`);
  return value;
}

export const users = usual => Math.max(1, Math.round(number('USERS', usual)));

const UNITS_S = { ms: 0.001, s: 1, m: 60, h: 3600 };

// The length of the run in seconds: DURATION, or the script's usual.
export function seconds(usual) {
  const text = __ENV.DURATION || `${usual}s`;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== text)
    throw new Error(`DURATION: "${text}" is none like 90s, 2m, 1h30m`);
  return parts.reduce((sum, part) => sum + Number(part[1]) * UNITS_S[part[2]], 0);
}

export const span = value_s => `${Math.max(1, Math.round(value_s * 1000))}ms`;

// Users that come one after another, stay, and leave: a sixth of the time to come.
export function ramped(count, duration_s) {
  return {
    executor: 'ramping-vus',
    startVUs: Math.min(count, 1),
    stages: [
      { duration: span(duration_s / 6), target: count },
      { duration: span((duration_s * 5) / 6), target: count },
    ],
    gracefulStop: '15s',
    gracefulRampDown: '15s',
  };
}

// An open load: so many rounds a second begin whatever becomes of those before. Never sleep in one.
export function arriving(rate_per_s, duration_s, start_s = 0, vus_max = 2000) {
  return {
    executor: 'constant-arrival-rate',
    rate: Math.max(1, Math.round(rate_per_s)),
    timeUnit: '1s',
    duration: span(duration_s),
    startTime: span(start_s),
    preAllocatedVUs: Math.min(vus_max, Math.max(10, Math.ceil(rate_per_s / 10))),
    maxVUs: vus_max,
    gracefulStop: '15s',
  };
}

export const TREND_STATS = ['count', 'min', 'avg', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'];
