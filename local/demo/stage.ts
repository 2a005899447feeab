import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { googleClients, readEndpoints } from '../../functions/google/clients.ts';
import { isFinal, type Rollout, type ServiceState } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import type { Store } from '../../functions/store/store.ts';
import { realClock, sleep } from '../clock.ts';
import { type LocalCloud, startLocalCloud } from '../cloud.ts';
import { type Load, type LoadOutcome, startLoad } from '../dataplane/load.ts';
import { CLIENT_LOCATION_HEADER } from '../dataplane/load-balancer.ts';
import { setUpExample } from '../example.ts';
import { buildImage } from '../images/build.ts';
import type { SamplePlatform } from '../images/elf.ts';
import { pushImage, retag } from '../images/push.ts';
import { EXAMPLE_SERVICE, PROJECT } from '../names.ts';
import { demoPolicy } from './policy.ts';
import type { View } from './view.ts';

export const SLO = {
  availability: 99.5,
  latency: { thresholdMs: 500, target: 95 },
  windowSeconds: 10,
} as const;

/** Requests per second that users send, steadily, from beginning to end. */
const LOAD_BALANCER_RATE = 540;
const GATEWAY_RATE = 270;
const PLACES = ['us', 'eu', 'asia'];

const REPOSITORY = `${PROJECT}/apps/${EXAMPLE_SERVICE}`;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Sample {
  readonly version: string;
  readonly platforms?: readonly SamplePlatform[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The local cloud with the example service in it and users who send requests: what every scenario plays on. */
export class Stage {
  readonly cloud: LocalCloud;
  readonly store: Store;
  readonly view: View;
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #loads: Load[] = [];

  private constructor(cloud: LocalCloud, directory: string, view: View, signal: AbortSignal) {
    this.cloud = cloud;
    this.store = sqliteStore(cloud.storeFile);
    this.#directory = directory;
    this.view = view;
    this.#signal = signal;
  }

  static async open(view: View, signal: AbortSignal): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-demo-'));
    const policyFile = join(directory, 'rollouts.yaml');
    await writePolicy(policyFile, { judge: true });
    const metrics = { sampleSeconds: 1, lagSeconds: 0.5, evaluateSeconds: 0.5 };
    const cloud = await startLocalCloud({ directory, policyFile, metrics });
    const stage = new Stage(cloud, directory, view, signal);
    await setUpExample(cloud, SLO);
    return stage;
  }

  async close(): Promise<void> {
    await Promise.all(this.#loads.map(load => load.stop()));
    await this.store.close();
    await this.cloud.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** From here on users send requests to both addresses, until the stage closes. */
  startUsers(): void {
    const { loadBalancer, gateway } = this.cloud.urls;
    let turn = 0;
    const headers = () => ({ [CLIENT_LOCATION_HEADER]: PLACES[turn++ % PLACES.length] ?? '' });
    const common = { clock: realClock, keepRecent: 100_000 };
    this.#loads.push(startLoad({ ...common, url: loadBalancer, ratePerSecond: LOAD_BALANCER_RATE, headers }));
    this.#loads.push(startLoad({ ...common, url: gateway, ratePerSecond: GATEWAY_RATE }));
  }

  /** What users got since then, oldest first. */
  outcomesSince(sinceMs: number): LoadOutcome[] {
    return this.#loads
      .flatMap(load => load.snapshot().recent.filter(({ sentMs }) => sentMs >= sinceMs))
      .sort((a, b) => a.atMs - b.atMs);
  }

  setJudge(judge: boolean): Promise<void> {
    return writePolicy(join(this.#directory, 'rollouts.yaml'), { judge });
  }

  /** Builds the sample service and pushes it, as a team's pipeline would. @returns digest of the index */
  async push({ version, platforms = ['linux/amd64', 'linux/arm64'], env = {} }: Sample): Promise<string> {
    const image = await buildImage({ appDir: join(ROOT, 'app'), version, platforms, env, attestation: true });
    await pushImage(image, { endpoint: this.cloud.urls.registry, repository: REPOSITORY, tag: version });
    return image.digest;
  }

  async retag(from: string, to: string): Promise<void> {
    await retag({ endpoint: this.cloud.urls.registry, repository: REPOSITORY, tag: to }, from);
  }

  /** Opens the gate by the message that a person, or a pipeline, would publish. */
  async promote(gate: string): Promise<void> {
    const pubsub = await googleClients(readEndpoints(this.cloud.env)).pubsub(PROJECT);
    const json = { command: 'promote', service: EXAMPLE_SERVICE, gate, actor: 'demo@example.com' };
    await pubsub.topic('rollout-commands').publishMessage({ json });
  }

  service(): Promise<ServiceState | undefined> {
    return this.store.read('service', EXAMPLE_SERVICE);
  }

  /** Shows the rollout of a tag until it is final, or until `stop` says so, at every change. */
  async watch(
    tag: string,
    stop: (rollout: Rollout) => boolean | Promise<boolean> = () => false,
  ): Promise<Rollout> {
    const deadlineMs = Date.now() + 60_000;
    for (;;) {
      this.#signal.throwIfAborted();
      const rollouts = await this.store.list('rollout', { service: EXAMPLE_SERVICE });
      const rollout = rollouts.find(one => one.tag === tag);
      if (rollout) {
        this.view.show(rollout);
        if (isFinal(rollout) || (await stop(rollout))) return rollout;
      }
      if (Date.now() > deadlineMs) throw new Error(this.#stuck(tag, rollout));
      await sleep(realClock, 100);
    }
  }

  /** Waits for a condition that comes about by itself. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadlineMs = Date.now() + 30_000;
    while (!isSo()) {
      this.#signal.throwIfAborted();
      if (Date.now() > deadlineMs) throw new Error(`waited 30 s for ${what}`);
      await sleep(realClock, 50);
    }
  }

  #stuck(tag: string, rollout: Rollout | undefined): string {
    const state = rollout ? `is ${rollout.phase}: ${rollout.message}` : 'has no record';
    return `after 60 s the rollout of ${tag} ${state}\nthe functions said last:\n${this.cloud.functions.lastLines().join('\n')}`;
  }
}

async function writePolicy(file: string, options: { judge: boolean }): Promise<void> {
  await writeFile(file, demoPolicy(await readFile(join(ROOT, 'rollouts.yaml'), 'utf8'), options));
}
