/**
 * Preloaded into the functions: writes a line for everything that costs something, and in whose name it was done, into
 * the file that SLIPWAY_BENCH_TAP names.
 */
import { subscribe } from 'node:diagnostics_channel';
import { openSync, writeSync } from 'node:fs';
import { ClientRequest, IncomingMessage } from 'node:http';
import { type SQLInputValue, type SQLOutputValue, StatementSync } from 'node:sqlite';
import { currentScope } from '../../../functions/telemetry/scope.ts';
import type { Tapped } from './tapped.ts';

const file = openSync(process.env['SLIPWAY_BENCH_TAP'] ?? '/dev/null', 'a');
const get = StatementSync.prototype.get;
const iterate = StatementSync.prototype.iterate;
const run = StatementSync.prototype.run;

function write(what: Tapped['what'], count: number, more: Partial<Tapped> = {}): void {
  const fields = currentScope()?.fields ?? {};
  const by = [fields['function'], fields['activity'], fields['target']].filter(part => part !== undefined);
  writeSync(file, `${JSON.stringify({ what, count, by: by.join(' '), ...more })}\n`);
}

function rowsOf(of: StatementSync, values: SQLInputValue[]): Iterable<Record<string, SQLOutputValue>> {
  return Reflect.apply(iterate, of, values);
}

function replace(name: 'get' | 'iterate' | 'run', value: unknown): void {
  Object.defineProperty(StatementSync.prototype, name, { value });
}

replace('get', function (this: StatementSync, ...values: SQLInputValue[]) {
  write('read', 1);
  return Reflect.apply(get, this, values);
});
replace('run', function (this: StatementSync, ...values: SQLInputValue[]) {
  write('write', 1);
  return Reflect.apply(run, this, values);
});
// A query that finds nothing costs one read.
replace('iterate', function* (this: StatementSync, ...values: SQLInputValue[]): Generator<
  Record<string, SQLOutputValue>
> {
  let rows = 0;
  try {
    for (const row of rowsOf(this, values)) {
      rows++;
      yield row;
    }
  } finally {
    write('read', Math.max(1, rows));
  }
});

subscribe('http.client.request.start', message => {
  const request = part(message, 'request');
  if (!(request instanceof ClientRequest)) return;
  write('call', 1, { to: request.host + portOf(request.getHeader('host')), method: request.method });
});
subscribe('undici:request:create', message => {
  const request = part(message, 'request');
  const origin = part(request, 'origin');
  write('call', 1, { to: new URL(String(origin)).host, method: String(part(request, 'method')) });
});
subscribe('http.server.request.start', message => {
  const request = part(message, 'request');
  if (!(request instanceof IncomingMessage)) return;
  const { user, system } = process.cpuUsage();
  write('served', 1, { port: request.socket.localPort ?? 0, cpuMs: (user + system) / 1000 });
});

const log = process.stdout.write.bind(process.stdout);
Object.defineProperty(process.stdout, 'write', {
  value(text: string | Uint8Array, ...rest: []) {
    write('log', Buffer.byteLength(text));
    return log(text, ...rest);
  },
});

function part(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}

function portOf(host: unknown): string {
  const port = String(host ?? '').split(':')[1];
  return port === undefined ? '' : `:${port}`;
}
