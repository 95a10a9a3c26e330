// SPDX-License-Identifier: Apache-2.0
// One user, every answer the two services can give, once: does it work at all?
import grpc from 'k6/net/grpc';
import http from 'k6/http';
import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Adder, NO_FAILED_ADD, NO_FAILED_READ, admin, applied, source } from './lib/abacus.js';
import { TOTALS, TREND_STATS } from './lib/settings.js';
import { summary, values } from './lib/summary.js';
import { uuid } from './lib/uuid.js';

export const options = {
  vus: 1,
  iterations: 1,
  thresholds: { ...NO_FAILED_ADD, ...NO_FAILED_READ, checks: ['rate==1'] },
  summaryTrendStats: TREND_STATS,
};

const adder = new Adder();
const INT64_MAX = '9223372036854775807';

function refusals() {
  const id = uuid();
  const first = adder.call(1, 2, id);
  const again = adder.call(1, 2, id);
  check(again, {
    'the same id again gets the same answer': answer =>
      answer.status === grpc.StatusOK && answer.message.sequence === first.message.sequence,
  });
  check(adder.call(1, 3, id), {
    'the same id with other numbers is refused': answer =>
      answer.status === grpc.StatusInvalidArgument,
  });
  check(adder.call(1, 2, 'no-uuid'), {
    'an id that is no UUID is refused': answer => answer.status === grpc.StatusInvalidArgument,
  });
  check(adder.call(INT64_MAX, 1), {
    'a sum beyond int64 is refused': answer => answer.status === grpc.StatusOutOfRange,
  });
}

// k6 cannot wait for an event of another program, so it asks again, for at most WAIT_S.
const WAIT_S = 20;
function arrives(answer) {
  for (let tries = 0; tries < WAIT_S * 50; tries++) {
    if (applied(source(answer.source), Number(answer.sequence))) return true;
    sleep(0.02);
  }
  return false;
}

function reading() {
  const get = (path, headers = {}) => http.get(TOTALS + path, { headers });
  const total = get('/v1/total');
  check(total, {
    'the total has an ETag': response => response.status === 200 && Boolean(response.headers.Etag),
    'nothing is missing': response => response.json('missing') === '0',
  });
  check(get('/v1/total', { 'If-None-Match': total.headers.Etag }), {
    'the same ETag again gets 304': response => response.status === 304 && !response.body,
  });
  for (const path of ['/v1/sources', '/v1/partitions', '/openapi.json'])
    check(get(path), { [`${path} answers`]: response => response.status === 200 });
  check(http.get(`${TOTALS}/v1/sources/${uuid()}`, {
    responseCallback: http.expectedStatuses(404),
  }), { 'a source nobody knows is 404': response => response.status === 404 });
}

export default function () {
  const answer = adder.add(2, 3);
  if (answer === null) exec.test.abort('no add gets through');
  refusals();
  check(answer, { 'an add arrives in the total': arrives });
  reading();
  check(admin('/readyz'), { 'the adder is ready': response => response.status === 200 });
}

export const handleSummary = summary('smoke', data => {
  const checks = values(data, 'checks');
  return [['checks', `${checks.passes} right, ${checks.fails} wrong`]];
});
