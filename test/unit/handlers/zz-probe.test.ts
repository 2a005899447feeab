import { connect } from 'node:net';
import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { test } from 'vitest';
import { console as serveConsole } from '../../../functions/handlers/console.ts';
import { readSettings } from '../../../functions/settings.ts';
import { listen } from '../../../local/http.ts';
import { aWorld, START_MS } from '../../worlds.ts';
import { anOffice } from './office.ts';
test('x', { timeout: 60000 }, async () => {
  const office = anOffice({ settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_CONSOLE_IDENTITY: 'local:me' }) });
  const { rollout, service } = aWorld();
  await office.put(rollout, service);
  let reads = 0; let delay = 500;
  const store = { ...office.store, async read(k: never, id: string) { reads++; await new Promise(r => setTimeout(r, delay)); return office.store.read(k, id); } };
  http('probe2', (q, r) => serveConsole({ ...deps }, q, r));
  const deps = { ...office.deps, store: async () => store as typeof office.store };
  http('probe3', (q, r) => serveConsole(deps, q, r));
  const server = await listen(getTestServer('probe3'));
  // gone before the first read is over
  const socks = Array.from({ length: 50 }, () => { const s = connect(Number(new URL(server.url).port), '127.0.0.1'); s.write(`GET /api/watch?rollout=${rollout.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`); s.on('error', () => {}); return s; });
  await new Promise(r => setTimeout(r, 200));
  for (const s of socks) s.destroy();
  await new Promise(r => setTimeout(r, 3000));
  const before = reads;
  await new Promise(r => setTimeout(r, 3000));
  console.log('reads after all left early', before, reads);
  delay = 0;
  // a slow reader that takes nothing
  const slow = connect(Number(new URL(server.url).port), '127.0.0.1'); slow.pause();
  let closed = false; slow.on('close', () => { closed = true; }); slow.on('error', () => {});
  slow.write(`GET /api/watch?rollout=${rollout.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  for (let i = 0; i < 14; i++) { await office.put({ ...rollout, message: 'x'.repeat(900_000) + i, updatedMs: START_MS + i }); await new Promise(r => setTimeout(r, 1100)); }
  const at = reads; await new Promise(r => setTimeout(r, 3000));
  console.log('slow: reads', at, reads, 'closed', closed, 'rss', process.memoryUsage().rss / 1e6);
  slow.destroy();
  // garbage: sse with weird headers
  for (const [h, v] of [['last-event-id', '1:2:3:x'], ['last-event-id', '%0d%0a'], ['x-http-method-override', 'POST']] as const) {
    const c = new AbortController();
    const a = await fetch(`${server.url}/api/watch?rollout=${rollout.id}`, { headers: { [h]: v }, signal: c.signal });
    console.log(h, a.status); c.abort();
  }
  await server.close();
});
