import type { Rollout } from '../../functions/rollout/record.ts';
import type { CloudOptions } from '../../local/cloud.ts';
import { buildImage } from '../../local/images/build.ts';
import { pushImage } from '../../local/images/push.ts';
import { PROJECT, REGISTRY_HOST } from '../../local/names.ts';
import { QuickDataPlane } from './quick-data-plane.ts';
import { APP, aPolicyService, E2eWorld } from './world.ts';

export const REGION = 'us-east4';
export const SHARED_IMAGE = `${REGISTRY_HOST}/${PROJECT}/apps/shared`;
/** What serves before the first rollout. Nobody pulls it. */
export const STABLE_DIGEST = `sha256:${'5'.repeat(64)}`;
export const STABLE_IMAGE = `${SHARED_IMAGE}@${STABLE_DIGEST}`;

/** A service whose image all services of a {@link Crowd} share; a push is for one of them by its tag: `NAME-…`. */
export function oneOfTheCrowd(name: string, change: object = {}): object {
  return aPolicyService(name, { image: SHARED_IMAGE, tags: [`${name}-*`], ...change });
}

/** Many services on one cloud, cheap enough for a rollout of each: they share one image and one container server. */
export class Crowd {
  readonly world: E2eWorld;
  readonly dataPlane: QuickDataPlane;

  private constructor(world: E2eWorld, dataPlane: QuickDataPlane) {
    this.world = world;
    this.dataPlane = dataPlane;
  }

  static async open(services: readonly object[], options: Partial<CloudOptions> = {}): Promise<Crowd> {
    const dataPlane = await QuickDataPlane.open();
    try {
      return new Crowd(
        await E2eWorld.open(services, { dataPlane, sweepEverySeconds: 0, ...options }),
        dataPlane,
      );
    } catch (error) {
      await dataPlane.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.dataPlane.close();
  }

  /** Builds an image and puts it into the registry, under a tag that no service rolls out. @returns its digest */
  async build(version: string): Promise<string> {
    const platforms = ['linux/amd64', 'linux/arm64'] as const;
    const image = await buildImage({ appDir: APP, version, platforms, env: {}, attestation: false });
    const endpoint = this.world.cloud.urls.registry;
    await pushImage(image, { endpoint, repository: `${PROJECT}/apps/shared`, tag: `built-${version}` });
    return image.digest;
  }

  /** Says that a digest was pushed with a tag, as the registry does. */
  push(tag: string, digest: string): void {
    const value = { action: 'INSERT', digest: `${SHARED_IMAGE}@${digest}`, tag: `${SHARED_IMAGE}:${tag}` };
    this.world.publish('gcr', value);
  }

  /** Makes the Cloud Run service with a revision that serves, as somebody did before Slipway came. */
  async serve(name: string, change: object = {}, region = REGION): Promise<void> {
    const { run } = this.world.cloud.cores;
    const key = { project: PROJECT, region, service: name };
    run.createService(key, {
      template: { revision: stableOf(name), containers: [{ image: STABLE_IMAGE }] },
      traffic: [{ type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: stableOf(name), percent: 100 }],
      ...change,
    });
    await this.world.eventually(
      () => `${name} to serve`,
      () => !run.getService(key).reconciling,
    );
  }

  /** What a Cloud Run service routes to now: revision → percent, and the revisions that are not ready. */
  traffic(name: string, region = REGION): { shares: Record<string, number>; unready: string[] } {
    const { run } = this.world.cloud.cores;
    const key = { project: PROJECT, region, service: name };
    const shares: Record<string, number> = {};
    for (const { revision = '?', percent = 0 } of run.getService(key).trafficStatuses) {
      if (percent > 0) shares[revision] = (shares[revision] ?? 0) + percent;
    }
    const unready = Object.keys(shares).filter(revision => !isReady(run.getRevision(key, revision)));
    return { shares, unready };
  }
}

export function stableOf(service: string): string {
  return `${service}-before`;
}

/** The revision that the first attempt of a rollout makes on Cloud Run. */
export function canaryOf({ id, service, attempt }: Rollout): string {
  return `${service}-${id.slice(id.lastIndexOf('-') + 1)}-${attempt}`;
}

function isReady({ conditions }: { conditions: readonly { type: string; state: string }[] }): boolean {
  return conditions.some(({ type, state }) => type === 'Ready' && state === 'CONDITION_SUCCEEDED');
}
