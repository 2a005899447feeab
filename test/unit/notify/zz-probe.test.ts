import http from 'node:http';
import { test } from 'vitest';
import { globMatches } from '../../../functions/rollout/globs.ts';
import { templateProblem } from '../../../functions/rollout/template.ts';
import { postByFetch } from '../../../functions/notify/post.ts';
import { jsonLog } from '../../../functions/telemetry/log.ts';
import { Notifier } from '../../../functions/notify/notifier.ts';
import { within, currentScope } from '../../../functions/telemetry/scope.ts';
import { Outbox } from '../../../functions/notify/outbox.ts';
import { SlipwayError } from '../../../functions/errors.ts';
import { VirtualClock, sleep } from '../../../local/clock.ts';
import { aDestination, anEvent, readNews, someNews, aReceiver } from './world.ts';
import { anOffice } from '../handlers/office.ts';
import { slackBody } from '../../../functions/notify/slack.ts';
import { noticeOf } from '../../../functions/notify/notice.ts';
const time = (n: string, f: () => unknown) => { const s = performance.now(); let r; try { r = f(); } catch (e) { r = e; } console.log(n, Math.round(performance.now() - s), 'ms', r); };
test('probe', async () => {
  time('P1 constructor', () => readNews(anEvent('RolledBack','x').replace(/"type":"[^"]*"/, '"type":"constructor"'))?.reason);
  time('P3 template', () => templateProblem('{{' + ' '.repeat(1500)));

  // P2
  let hits = 0;
  const s = http.createServer((q, r) => { hits++; q.resume(); r.writeHead(200, {'content-type':'text/plain'}); r.write('o'); });
  await new Promise<void>(r => s.listen(0, '127.0.0.1', r));
  const port = (s.address() as { port: number }).port;
  console.log('P2 200 with body that stalls', await postByFetch({ url: new URL(`http://127.0.0.1:${port}/`), headers: {}, body: '' }, 300, 0));
  s.closeAllConnections(); s.close();
  // P5
  const lines: string[] = [];
  const log = jsonLog({ project: 'acme', nowMs: () => 0, write: l => lines.push(l) });
  const h = '\u0000'.repeat(20000);
  log('INFO', h, { service: h, actor: h, rollout: h, target: h, reason: h });
  log('INFO', 'a', { list: Array.from({ length: 1000 }, () => 'x'.repeat(1000)) });
  console.log('P5 bytes', lines.map(l => Buffer.byteLength(l)));
  // P6
  const office = anOffice({ secret: async () => rec.url });
  const rec = await aReceiver();
  const seen: unknown[] = [];
  const clock = new VirtualClock(0);
  const n = new Notifier({ ...office.deps, nowMs: () => office.nowMs, log: (_s, m) => seen.push([m, currentScope()?.fields]), post: postByFetch, wait: async () => { await new Promise(r => setTimeout(r, 5)); office.nowMs += 250; } });
  const d = aDestination({ slack: { secret: 's' } });
  await Promise.all(['m1', 'm2', 'm3'].map((id, i) => within({ trace: { traceId: `${i}`, spanId: '', isSampled: false }, tracer: undefined, span: undefined, fields: { messageId: id } }, () => n.tell(d, someNews('RolledBack', 'x', { id })))));
  console.log('P6', JSON.stringify(seen));
  // P7
  const office2 = anOffice({ secret: async () => { throw new SlipwayError('EIO', { code: 'Unavailable', operation: 'read' }); } });
  const n2 = new Notifier({ ...office2.deps, post: postByFetch, wait: async ms => { office2.nowMs += ms; } });
  console.log('P7', await n2.tell(d, someNews('RolledBack', 'x')));
  await rec.close();
  // P9/P10
  const out = new Outbox<number>({ pace: { burst: 4, perSecond: 1, sumsUp: true }, nowMs: () => clock.nowMs(), wait: ms => sleep(clock, ms), compare: (a, b) => a - b,
    send: async (items, t) => { await sleep(clock, t); return { kind: 'failed', why: 'no answer' }; } });
  const t0: Record<number, number> = {};
  const add = (i: number) => { const at = clock.nowMs(); void out.add(i, at + 45000).then(() => { t0[i] = clock.nowMs() - at; }); };
  add(5); await clock.advance(100); add(6); await clock.advance(30000); add(1); add(2);
  await clock.advance(200000);
  console.log('P9/10 hung destination holds for ms', t0);
  const place = { project: 'p', consoleUrl: '' };
  const many = [...Array.from({ length: 20 }, () => someNews('AlertRecorded', 'burns')), someNews('RollingBack', 'bad')].map(x => noticeOf(x, place, 0));
  const body = JSON.stringify(slackBody(many, '<!here> {{service}} {{title}}'));
  console.log('P11', body.slice(0, 200), 'RollingBack shown', body.includes('Rolling back*') , body.includes('!here'));
});
