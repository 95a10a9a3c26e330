// SPDX-License-Identifier: Apache-2.0
// The two services as a user sees them, and what is counted of every call. k6 knows how long a gRPC
// call took (grpc_req_duration), but neither how many there were nor how many failed: that is ours.
import exec from 'k6/execution';
import grpc from 'k6/net/grpc';
import http from 'k6/http';
import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { ADDER, ADDER_ADMIN, PROTO_DIR, TOTALS, number } from './settings.js';

export const adds = new Counter('adds'); //                  answered, and rightly
export const addsFailed = new Rate('adds_failed'); //        of all calls: no answer, a wrong one
export const addsWrong = new Counter('adds_wrong'); //       answered, and wrongly
export const addsRefused = new Counter('adds_refused'); //   RESOURCE_EXHAUSTED: come again later
export const addsAgain = new Counter('adds_sent_again'); //  with the same id, since no answer came
export const connects = new Counter('connects'); //          gRPC connections that were opened
export const reads = new Counter('reads');
export const readsFailed = new Rate('reads_failed');
export const readsWrong = new Counter('reads_wrong');
export const readsUnchanged = new Counter('reads_unchanged'); // 304: what the user had is still so

// What every script asks for. "> 0" since a rate of nothing is 0 as well.
export const NO_LOST_ADD = {
  adds: ['count>0'], adds_failed: ['rate==0'], adds_wrong: ['count==0'],
};
export const NO_FAILED_ADD = { ...NO_LOST_ADD, adds_refused: ['count==0'] };
export const NO_FAILED_READ = {
  reads: ['count>0'], reads_failed: ['rate==0'], reads_wrong: ['count==0'],
};
const p95_ms = number('P95_MS', 500);
export const oneConnectionEach = user_count => ({ connects: [`count<=${user_count}`] });
export const FAST_ADDS = { grpc_req_duration: [`p(95)<${p95_ms}`] };
export const FAST_READS = { http_req_duration: [`p(95)<${p95_ms}`] };

http.setResponseCallback(http.expectedStatuses(200, 304));

// At most so many lines a user: what fails, fails a thousand times.
const SAID_MAX = 3;
let said = 0;
export function complain(text) {
  if (said++ < SAID_MAX) console.error(`user ${exec.vu.idInTest}: ${text}`);
}

const OK = grpc.StatusOK;
const REFUSED = grpc.StatusResourceExhausted;
// The add is not written; or nobody knows, since the server died or ends (grpc-go calls a broken
// stream CANCELLED or UNKNOWN too). INTERNAL is not among them: that is a fault of the server.
const SEND_AGAIN = [
  REFUSED,
  grpc.StatusUnavailable, grpc.StatusDeadlineExceeded, grpc.StatusCanceled, grpc.StatusUnknown,
];

// One gRPC connection, opened with the first call and kept: k6 makes one Adder a user.
export class Adder {
  constructor() {
    this.client = new grpc.Client();
    this.client.load([PROTO_DIR], 'adder.proto');
    this.connected = false;
    this.highest = 0; // sequence that this user was given
  }

  connect() {
    if (this.connected) return;
    this.client.connect(ADDER, { plaintext: true, timeout: '30s' });
    this.connected = true; // grpc-go finds a server that comes back by itself
    connects.add(1);
  }

  close() {
    this.client.close();
    this.connected = false;
  }

  // One call, as it ended; nothing is counted. {status, message: {sum, source, sequence}, why}
  call(a, b, id = '') {
    try {
      this.connect();
      const answer = this.client.invoke('abacus.v1.Adder/Add', { a, b, request_id: id },
        { timeout: '10s' });
      return { status: answer.status, message: answer.message, why: answer.error?.message };
    } catch (error) {
      return { status: grpc.StatusUnavailable, why: String(error) };
    }
  }

  // One add. Its answer, or null: refused or failed, which is counted and said.
  add(a, b) {
    const { status, message, why } = this.call(a, b);
    if (status === OK) return this.judge(a, b, message);
    if (status === REFUSED) addsRefused.add(1);
    else complain(`${a} + ${b}: status ${status}: ${why}`);
    addsFailed.add(status !== REFUSED);
    return null;
  }

  // One add until it is answered, always with the same id, so that it is added once however often
  // it is sent. Its answer, or null: not within wait_s, which is said.
  insist(a, b, id, wait_s) {
    const give_up_ms = Date.now() + wait_s * 1000;
    for (;;) {
      const { status, message, why } = this.call(a, b, id);
      if (status === OK) return message;
      if (status === REFUSED) addsRefused.add(1);
      if (!SEND_AGAIN.includes(status) || Date.now() > give_up_ms) {
        complain(`${a} + ${b}: status ${status}: ${why}`);
        return null;
      }
      addsAgain.add(1);
      sleep(0.1);
    }
  }

  // An answer must be the sum, and a user's adds get rising sequences.
  judge(a, b, message) {
    const sequence = Number(message?.sequence);
    const wrong = message?.sum !== String(a + b) || !(sequence > this.highest);
    if (wrong) {
      complain(`${a} + ${b} was answered ${JSON.stringify(message)} after ${this.highest}`);
      addsWrong.add(1);
    } else {
      adds.add(1);
      this.highest = sequence;
    }
    addsFailed.add(wrong);
    return wrong ? null : message;
  }
}

// null: no JSON.
function parsed(response) {
  try {
    return response.json();
  } catch (error) {
    return null;
  }
}

// Counts it and passes on whether it went well.
function countRead(response, well) {
  if (well) reads.add(1);
  else complain(`GET ${response.url}: no answer of ours: ${response.status} ${response.error}`);
  readsFailed.add(!well);
  return well;
}

// A user of the REST service. Remembers the total and its ETag, as a browser or a cache would.
export class Totals {
  constructor() {
    this.etag = '';
    this.known = null;
  }

  // The total as it is now, or null: failed, which is counted and said.
  read() {
    const response = http.get(`${TOTALS}/v1/total`, {
      headers: this.etag ? { 'If-None-Match': this.etag } : {},
      timeout: '10s',
      tags: { name: '/v1/total' },
    });
    if (response.status === 304) readsUnchanged.add(1);
    const well = response.status === 304 || (response.status === 200 && this.take(response));
    return countRead(response, well) ? this.known : null;
  }

  // Whether it is a total. One never goes back.
  take(response) {
    const total = parsed(response);
    if (total?.version === undefined) return false;
    if (this.known && Number(total.version) < Number(this.known.version)) {
      complain(`version ${total.version} came after ${this.known.version}`);
      readsWrong.add(1);
    }
    this.known = total;
    this.etag = response.headers.Etag;
    return true;
  }
}

// What totals knows of one source; {highest: 0} as long as it has heard of none.
const UNHEARD_OF = { highest: '0', missing: [] };
export function source(id) {
  const response = http.get(`${TOTALS}/v1/sources/${id}`, {
    responseCallback: http.expectedStatuses(200, 404), timeout: '10s',
    tags: { name: '/v1/sources/{source}' },
  });
  const known = response.status === 200 ? parsed(response) : UNHEARD_OF;
  const well = response.status === 404 || (response.status === 200 && known !== null);
  return countRead(response, well) ? known : UNHEARD_OF;
}

// Whether everything up to that sequence, or this one itself, is in the total.
export function applied(state, sequence) {
  return Number(state.highest) >= sequence &&
    !(state.missing || []).some(gap => gap.first <= sequence && sequence <= gap.last);
}

export const admin = path => http.get(ADDER_ADMIN + path, { tags: { name: path } });

// Between two rounds. Users that all rest equally long would come in waves.
export function rest(usual_ms) {
  const pause_ms = number('PAUSE_MS', usual_ms);
  if (pause_ms > 0) sleep((pause_ms * (0.5 + Math.random())) / 1000);
}

export const anyNumber = () => Math.floor(Math.random() * 2001) - 1000;
