import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { Socket } from 'node:net';

/** Loaded before a program: notes what it connects to and which packages it loads. */

const file = process.env['WATCH_FILE'] ?? '';
const connect = Socket.prototype.connect;

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  const options: unknown = Array.isArray(args[0]) ? args[0][0] : args[0];
  const { host, port } = Object.assign({ host: '?', port: '?' }, options);
  appendFileSync(file, `host ${host}:${port}\n`);
  return Reflect.apply(connect, this, args);
};

registerHooks({
  load(url, context, next) {
    if (url.includes('/node_modules/')) appendFileSync(file, `package ${url}\n`);
    return next(url, context);
  },
});
