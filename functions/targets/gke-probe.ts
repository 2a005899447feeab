import { parseHttpRoute, parseService } from './gke-objects.ts';
import { routePath, type Site } from './gke-state.ts';
import { portOf } from './gke-traffic.ts';
import type { Order, Probe, ProbeResult } from './target.ts';

/** Asks the canary through the API server's service proxy: past the route, and reachable wherever the API server is. */
export async function probeCanary(site: Site, order: Order, probe: Probe): Promise<ProbeResult> {
  const service = order.stable ? site.pair.canary : site.pair.stable;
  const port = await portOfService(site, service);
  const path = `/api/v1/namespaces/${site.spec.namespace}/services/http:${service}:${port}/proxy${probe.path}`;
  const { status, body } = await site.api.ask(path);
  const refusal = apiServerMessage(body);
  if (refusal !== undefined) return withoutAnswer(status, refusal);
  if (status >= 500) return { status: 'failed', message: `${probe.path} answered ${status}` };
  if (probe.expect !== undefined && !body.includes(probe.expect)) {
    return {
      status: 'failed',
      message: `${probe.path} answered ${status} without ${JSON.stringify(probe.expect)}`,
    };
  }
  return { status: 'passed', message: `${probe.path} answered ${status}` };
}

async function portOfService({ spec, api, ...rest }: Site, service: string): Promise<number> {
  const site = { spec, api, ...rest };
  const route = spec.httpRoute ? parseHttpRoute(await api.get(routePath(site))) : undefined;
  const port = portOf(route, service);
  if (port !== undefined) return port;
  const { ports } = parseService(
    await api.get(`/api/v1/namespaces/${spec.namespace}/services/${service}`),
  ).spec;
  return ports[0]?.port ?? 80;
}

/** The API server speaks in Status objects; everything else is the canary's own answer. */
function apiServerMessage(body: string): string | undefined {
  if (!body.includes('"Status"')) return undefined;
  try {
    const status: { kind?: unknown; status?: unknown; message?: unknown } = JSON.parse(body);
    return status.kind === 'Status' && status.status === 'Failure' ? String(status.message) : undefined;
  } catch {
    return undefined;
  }
}

function withoutAnswer(status: number, message: string): ProbeResult {
  if (status === 401 || status === 403) {
    return { status: 'skipped', message: `the service proxy may not be used from here: ${message}` };
  }
  if (status >= 500 || status === 429) return { status: 'again', message };
  return { status: 'failed', message };
}
