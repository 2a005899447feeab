/**
 * Preloaded into the functions: writes a line for everything that costs something, and what it was done for, into the
 * file that SLIPWAY_BENCH_TAP names.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';
import { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { type SQLInputValue, type SQLOutputValue, StatementSync } from 'node:sqlite';
import { currentScope } from '../../../functions/telemetry/scope.ts';
import type { Tapped } from './tapped.ts';

const file = openSync(process.env['SLIPWAY_BENCH_TAP'] ?? '/dev/null', 'a');
const requests = new AsyncLocalStorage<number>();
const { get, iterate, run } = StatementSync.prototype;
let served = 0;

function write(what: Tapped['what'], count: number, more: Partial<Tapped> = {}): void {
  const fields = currentScope()?.fields ?? {};
  const by = [fields['function'], fields['activity'], fields['target']].filter(part => part !== undefined);
  const line = { what, count, request: requests.getStore() ?? 0, by: by.join(' '), ...more };
  writeSync(file, `${JSON.stringify(line)}\n`);
}

function replace(on: object, name: string, value: unknown): void {
  Object.defineProperty(on, name, { value, configurable: true, writable: true });
}

replace(StatementSync.prototype, 'get', function (this: StatementSync, ...values: SQLInputValue[]) {
  write('read', 1);
  return Reflect.apply(get, this, values);
});
replace(StatementSync.prototype, 'run', function (this: StatementSync, ...values: SQLInputValue[]) {
  write('write', 1);
  return Reflect.apply(run, this, values);
});
// A query that finds nothing costs one read.
replace(StatementSync.prototype, 'iterate', function* (this: StatementSync, ...values: SQLInputValue[]) {
  const rows: Iterable<Record<string, SQLOutputValue>> = Reflect.apply(iterate, this, values);
  let count = 0;
  try {
    for (const row of rows) {
      count++;
      yield row;
    }
  } finally {
    write('read', Math.max(1, count));
  }
});

subscribe('http.client.request.start', message => {
  const request = part(message, 'request');
  if (!(request instanceof ClientRequest)) return;
  write('call', 1, { to: String(request.getHeader('host')), method: request.method });
});
subscribe('undici:request:create', message => {
  const request = part(message, 'request');
  const to = new URL(String(part(request, 'origin'))).host;
  write('call', 1, { to, method: String(part(request, 'method')) });
});
// The handler runs in what is entered here: nothing is awaited in between.
subscribe('http.server.request.start', message => {
  const [request, response] = [part(message, 'request'), part(message, 'response')];
  if (!(request instanceof IncomingMessage) || !(response instanceof ServerResponse)) return;
  requests.enterWith(++served);
  const { user, system } = process.cpuUsage();
  write('served', 1, { port: request.socket.localPort ?? 0, cpuMs: (user + system) / 1000 });
  const end = response.end;
  replace(response, 'end', (...values: unknown[]) => {
    write('answered', 1, { status: statusIn(values[0]) });
    return Reflect.apply(end, response, values);
  });
});

const log = process.stdout.write;
replace(process.stdout, 'write', (...values: unknown[]) => {
  if (typeof values[0] === 'string') write('log', Buffer.byteLength(values[0]));
  return Reflect.apply(log, process.stdout, values);
});

function part(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

/** Empty for an answer that is no activity's. */
function statusIn(body: unknown): string {
  const text = Buffer.isBuffer(body) || typeof body === 'string' ? String(body) : '';
  return /^\{"status":"(\w+)"/.exec(text)?.[1] ?? '';
}
