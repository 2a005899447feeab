/**
 * Preloaded into every instance. File descriptor 3 leads to the data plane: the port of each server that starts to
 * listen is written there, and when the data plane is gone, however it ended, the pipe closes and so does the instance.
 */
import { subscribe } from 'node:diagnostics_channel';
import { Server, Socket } from 'node:net';

const line = new Socket({ fd: 3, readable: true, writable: true });
line.on('error', endWithDataPlane);
line.on('close', endWithDataPlane);
line.resume();
line.unref();

subscribe('tracing:net.server.listen:asyncEnd', message => {
  if (typeof message !== 'object' || message === null || !('server' in message)) return;
  const address = message.server instanceof Server ? message.server.address() : null;
  if (address !== null && typeof address === 'object') line.write(`${address.port}\n`);
});

function endWithDataPlane(): void {
  try {
    // The data plane made it the leader of a group, so whatever it started itself ends too.
    process.kill(-process.pid, 'SIGKILL');
  } finally {
    process.exit(1);
  }
}
