// SPDX-License-Identifier: Apache-2.0
// What is left of a run: a short table on the terminal, summary.md with the same, summary.json with
// all that k6 measured. A script adds rows of its own.
import { OUT } from './settings.js';

const NOTHING = { count: 0, rate: 0, value: 0 };
export const values = (data, name) => data.metrics[name]?.values || NOTHING;

const STATS = ['med', 'p(95)', 'p(99)', 'max'];
const ms = value => (value === undefined ? '?' : `${value.toFixed(value < 10 ? 2 : 0)} ms`);
export const latency = trend => STATS.map(stat => ms(trend[stat])).join(' / ');
const rate = counter => `${counter.count} (${counter.rate.toFixed(1)}/s)`;

function usualRows(data) {
  const of = name => values(data, name);
  const rows = [['users at most', of('vus_max').max ?? 1]];
  if (of('adds_failed').fails !== undefined)
    rows.push(['adds', rate(of('adds'))],
      ['adds failed, wrong', `${of('adds_failed').passes}, ${of('adds_wrong').count}`],
      ['adds refused', of('adds_refused').count],
      ['an add: p50 / p95 / p99 / max', latency(of('grpc_req_duration'))],
      ['gRPC connections opened', of('connects').count]);
  if (of('reads_failed').fails !== undefined)
    rows.push(['reads', rate(of('reads'))],
      ['reads failed, wrong', `${of('reads_failed').passes}, ${of('reads_wrong').count}`],
      ['reads answered 304', of('reads_unchanged').count],
      ['a read: p50 / p95 / p99 / max', latency(of('http_req_duration'))]);
  return rows;
}

function thresholdRows(data) {
  return Object.entries(data.metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds || {}).map(([rule, result]) =>
      [`${name} ${rule}`, result.ok ? 'kept' : 'BROKEN']));
}

const markdown = rows =>
  ['| | |', '|---|---|', ...rows.map(row => `| ${row.join(' | ')} |`)].join('\n');

function plain(rows) {
  const width = Math.max(...rows.map(row => row[0].length));
  return rows.map(row => `  ${row[0].padEnd(width)}  ${row[1]}`).join('\n');
}

// handleSummary of the script NAME; more(data) gives rows of its own.
export function summary(name, more = () => []) {
  return data => {
    const rows = [...usualRows(data), ...more(data)];
    const rules = thresholdRows(data);
    const broken = rules.filter(rule => rule[1] !== 'kept');
    const verdict = broken.length === 0 ? 'every threshold kept' : 'thresholds broken:';
    const files = { stdout: `\n${name}: ${verdict}\n${plain([...broken, ...rows])}\n` };
    if (OUT) {
      files[`${OUT}/summary.json`] = JSON.stringify({ script: name, ...data }, null, 1);
      files[`${OUT}/summary.md`] =
        `# ${name}\n\n${verdict}\n\n${markdown(rows)}\n\n${markdown(rules)}\n`;
    }
    return files;
  };
}
