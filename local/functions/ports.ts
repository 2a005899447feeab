import http from 'node:http';
import { listen } from '../http.ts';

/** Below the ports that systems give to connections: what listens here finds its port free when it starts again. */
const FIRST_PORT = 20_000;
/** For those that are looked for beforehand, so that nothing that takes any port gets them meanwhile. */
const FIRST_PORT_BEFOREHAND = 10_000;
const PORTS = 10_000;

export function somePort(first: number = FIRST_PORT): number {
  return first + Math.floor(Math.random() * PORTS);
}

/** A port that nobody listens on now, for a URL that must be known before its server starts. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = somePort(FIRST_PORT_BEFOREHAND);
    try {
      const server = await listen(http.createServer(), port);
      await server.close();
      return port;
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
}

export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
