import { googleClients } from '../../functions/google/clients.ts';
import { cloudRunTarget } from '../../functions/targets/cloud-run.ts';
import { VirtualClock } from '../../local/clock.ts';
import { InstantDataPlane } from '../../local/dataplane/instant.ts';
import { Faults } from '../../local/faults.ts';
import { type HttpHandler, serve } from '../../local/http.ts';
import { CloudRun } from '../../local/run/core.ts';
import { cloudRunApi } from '../../local/run/http.ts';
import type { World } from './target-contract.ts';

export const KEY = { project: 'acme', region: 'us-east4', service: 'hello' };
export const IMAGE = 'us-central1-docker.pkg.dev/acme/apps/hello';
export const STABLE = `sha256:${'a'.repeat(64)}`;
export const CANARY = `sha256:${'c'.repeat(64)}`;
export const BROKEN = `sha256:${'b'.repeat(64)}`;
export const STABLE_REVISION = 'hello-before-1';

export interface CloudRunWorld extends World {
  readonly clock: VirtualClock;
  readonly core: CloudRun;
  readonly dataPlane: InstantDataPlane;
  readonly faults: Faults;
}

export interface CloudRunWorldOptions {
  /** Settings that the service has beside its image, as a client would send them. */
  readonly service?: object;
  readonly template?: object;
  /** Image that serves before the rollout; none: the service does not exist. */
  readonly serving?: string | undefined;
  readonly fetch?: typeof fetch;
}

/** A Cloud Run of one service in virtual time, and a target that reaches it with the real clients over HTTP. */
export async function cloudRunWorld(options: CloudRunWorldOptions): Promise<CloudRunWorld> {
  const clock = new VirtualClock();
  const dataPlane = new InstantDataPlane(clock);
  dataPlane.startMs = 3_000;
  dataPlane.fails = ({ image }) =>
    image.includes(BROKEN)
      ? { reason: 'Exited', message: 'Container called exit(1).', exitCode: 1 }
      : undefined;
  const core = new CloudRun({
    clock,
    dataPlane,
    routeMs: 1_500,
    serviceUrl: (_, region, service) => `https://${service}.${region}.run.invalid`,
    tagUrl: (_, region, service, tag) => `https://${tag}---${service}.${region}.run.invalid`,
  });
  const faults = new Faults(clock);
  const counter = countWrites(faults.wrap(cloudRunApi(core)));
  const server = await serve(counter.handler);
  const clients = googleClients({ run: server.url });
  if (options.serving) {
    core.createService(KEY, {
      ...options.service,
      template: { revision: STABLE_REVISION, ...options.template, containers: [containerWith(options)] },
    });
    await clock.advance(10_000);
  }
  return {
    ...{ clock, core, dataPlane, faults },
    target: cloudRunTarget({ ...KEY, image: IMAGE }, { ...clients, ...pick(options.fetch) }),
    image: IMAGE,
    stableDigest: STABLE,
    canaryDigest: CANARY,
    brokenDigest: BROKEN,
    revision: attempt => `hello-3f9a1c2b-${attempt}`,
    pass: seconds => clock.advance(1_000 * seconds),
    served: async () => servedDigests(core),
    writes: () => counter.writes(),
    async touch() {
      const { labels } = core.getService(KEY);
      core.updateService(KEY, { ...core.getService(KEY), labels: touched(labels) }, { mask: ['labels'] });
    },
    failNextWrite(how) {
      faults.inject({
        methods: ['POST', 'PATCH'],
        times: 1,
        fault: how === 'lostAnswer' ? { kind: 'loseAnswer' } : { kind: 'status', status: 503 },
      });
    },
    async close() {
      faults.clear();
      await server.close();
      await core.close();
    },
  };
}

function containerWith({ serving, template }: CloudRunWorldOptions): object {
  const containers = template && 'containers' in template ? template.containers : undefined;
  const first: unknown = Array.isArray(containers) ? containers[0] : {};
  return { ...(first as object), image: serving };
}

function pick(fetcher: typeof fetch | undefined): { fetch?: typeof fetch } {
  return fetcher ? { fetch: fetcher } : {};
}

function touched(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...labels, touched: String(1 + Number(labels['touched'] ?? 0)) };
}

function countWrites(handler: HttpHandler): { handler: HttpHandler; writes: () => number } {
  let writes = 0;
  return {
    writes: () => writes,
    handler: request => {
      if (request.method !== 'GET') writes++;
      return handler(request);
    },
  };
}

function servedDigests(core: CloudRun): Readonly<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const { by, weight, urls } of core.backendsOf(KEY.project, KEY.region, KEY.service)) {
    if (by.kind !== 'cloudRun' || urls.length === 0) continue;
    const image = core.getRevision(KEY, by.revision).containers[0]?.image ?? '';
    const digest = image.split('@')[1] ?? image;
    shares[digest] = (shares[digest] ?? 0) + weight;
  }
  return shares;
}
