import type { HttpReply, HttpRequest } from '../http.ts';
import type { Kubernetes } from './core.ts';
import { KubeError, notFound } from './status.ts';

/** `…/services/[SCHEME:]NAME[:PORT]/proxy/PATH`: the API server asks one of the Service's ready pods and passes its answer on. */
export async function proxyToService(
  core: Kubernetes,
  request: HttpRequest,
  place: { readonly namespace: string | undefined; readonly name: string | undefined; readonly rest: string },
): Promise<HttpReply> {
  const { namespace = '', rest } = place;
  const [name = '', port] = (place.name ?? '').replace(/^https?:/, '').split(':');
  const service = core.store.get('services', namespace, name);
  if (!service) throw notFound('services', name);
  const ports = service.spec.ports ?? [];
  if (port && !ports.some(one => String(one.port) === port || one.name === port)) {
    throw new KubeError('ServiceUnavailable', `no endpoints available for service "${place.name}"`);
  }
  const [url] = core.urlsOf(namespace, name);
  if (!url) throw new KubeError('ServiceUnavailable', `no endpoints available for service "${place.name}"`);
  const query = request.query.size > 0 ? `?${request.query}` : '';
  try {
    const response = await fetch(`${url}${rest || '/'}${query}`, {
      method: request.method,
      redirect: 'manual',
      ...(request.body.length > 0 ? { body: new Uint8Array(request.body) } : {}),
    });
    const type = response.headers.get('content-type');
    return {
      status: response.status,
      ...(type ? { headers: { 'content-type': type } } : {}),
      body: Buffer.from(await response.arrayBuffer()),
    };
  } catch (error) {
    const reason =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new KubeError('ServiceUnavailable', `error trying to reach service: ${reason}`);
  }
}
