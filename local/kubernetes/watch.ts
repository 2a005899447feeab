import { PassThrough } from 'node:stream';
import type { HttpReply, HttpRequest } from '../http.ts';
import type { Kubernetes } from './core.ts';
import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';
import { KubeError } from './status.ts';
import type { WatchEvent } from './store.ts';
import { asTable, wantsTable } from './table.ts';

/**
 * A stream of changes, one JSON document a line. Without a resourceVersion, or with 0, it starts with what is there. An
 * object that stops matching the selector is reported as deleted.
 */
export function watch(
  core: Kubernetes,
  request: HttpRequest,
  resource: Resource,
  namespace: string | undefined,
  filter: (object: KubeObject) => boolean,
): HttpReply {
  const stream = new PassThrough();
  const seen = new Set<string>();
  const inTable = wantsTable(request);
  const send = (type: string, object: KubeObject) => {
    const shown = inTable ? asTable(resource, [object], core.clock.nowMs()) : object;
    stream.write(`${JSON.stringify({ type, object: shown })}\n`);
  };
  const follow = (event: WatchEvent) => {
    if (event.plural !== resource.plural) return;
    const { uid = '', namespace: home } = event.object.metadata;
    if (namespace !== undefined && home !== namespace) return;
    const matches = event.type !== 'DELETED' && filter(event.object);
    if (matches) send(seen.has(uid) ? 'MODIFIED' : event.type, event.object);
    else if (seen.has(uid) || (event.type === 'DELETED' && filter(event.object)))
      send('DELETED', event.object);
    if (matches) seen.add(uid);
    else seen.delete(uid);
  };

  // Headers leave with the first byte, and a client waits for them; decoders skip the empty line.
  stream.write('\n');

  const from = Number(request.query.get('resourceVersion') ?? 0);
  const missed = from > 0 ? core.store.since(from) : [];
  if (!missed) throw new KubeError('Expired', `too old resource version: ${from}`);
  for (const object of core.store.list(resource.plural, namespace).filter(filter)) {
    const isNews = from === 0 || !wasThere(object, from);
    if (from === 0) send('ADDED', object);
    if (from === 0 || !isNews) seen.add(object.metadata.uid ?? '');
  }
  for (const event of missed) follow(event);

  const stop = core.store.onChange(follow);
  const timeoutSeconds = Number(request.query.get('timeoutSeconds') ?? 0);
  const cancel = timeoutSeconds > 0 ? core.clock.after(timeoutSeconds * 1000, () => stream.end()) : () => {};
  stream.on('close', () => {
    stop();
    cancel();
  });
  return { status: 200, headers: { 'content-type': 'application/json' }, body: stream };
}

/** Unchanged since then, so that its next change is a modification. */
function wasThere(object: KubeObject, resourceVersion: number): boolean {
  return Number(object.metadata.resourceVersion) <= resourceVersion;
}
