import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endpointVariable } from '../../../functions/google/clients.ts';
import { SERVICE_LABEL } from '../../../functions/handlers/slo-alert.ts';
import type { Rollout } from '../../../functions/rollout/record.ts';
import { sqliteStore } from '../../../functions/store/sqlite.ts';
import type { Store } from '../../../functions/store/store.ts';
import { realClock, sleep } from '../../../local/clock.ts';
import { type LocalCloud, startLocalCloud } from '../../../local/cloud.ts';
import { demoPolicy } from '../../../local/demo/policy.ts';
import { SLO } from '../../../local/demo/stage.ts';
import { setUpExample } from '../../../local/example.ts';
import { PROJECT_FOLDER } from '../../../local/files.ts';
import { buildImage } from '../../../local/images/build.ts';
import { pushImage } from '../../../local/images/push.ts';
import { EXAMPLE_SERVICE, PROJECT } from '../../../local/names.ts';
import { topicName } from '../../../local/wiring.ts';
import { LateDataPlane } from './data-plane.ts';
import { ApiProxy } from './proxy.ts';
import { Recorder } from './recorder.ts';

const PATIENCE_MS = 180_000;
/** So long nothing must happen until what was begun counts as done. */
const QUIET_MS = 1500;
/** Long enough for the workflow to ask several times. */
const READY_MS = 2500;
const TAP = new URL('tap.ts', import.meta.url).href;
const REGIONS = ['us-east4', 'europe-west1', 'asia-northeast1'];
const TRAFFIC_EVERY_MS = 50;
const REQUESTS_EACH = 4;

/**
 * The local cloud with the example's policy, its minutes shortened, and a tap in the functions. Containers are not run and
 * requests of users not sent: Monitoring is told of them all the same, so that the judge has something to look at.
 */
export class CostWorld {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly cloud: LocalCloud;
  readonly #stack: AsyncDisposableStack;

  private constructor(cloud: LocalCloud, recorder: Recorder, stack: AsyncDisposableStack) {
    this.cloud = cloud;
    this.recorder = recorder;
    this.store = sqliteStore(cloud.storeFile);
    this.#stack = stack;
    stack.defer(() => this.store.close());
    const traffic = setInterval(() => this.#serve(), TRAFFIC_EVERY_MS);
    stack.defer(() => clearInterval(traffic));
  }

  static async open(): Promise<CostWorld> {
    const stack = new AsyncDisposableStack();
    try {
      return await CostWorld.#build(stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  static async #build(stack: AsyncDisposableStack): Promise<CostWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-cost-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const source = await readFile(join(PROJECT_FOLDER, 'rollouts.yaml'), 'utf8');
    const policyFile = join(directory, 'rollouts.yaml');
    await writeFile(policyFile, demoPolicy(source, { judge: true }));
    const dataPlane = await LateDataPlane.open(READY_MS);
    stack.defer(() => dataPlane.close());
    const proxies = { monitoring: await ApiProxy.open(), pubsub: await ApiProxy.open() };
    for (const proxy of Object.values(proxies)) stack.defer(() => proxy.close());
    const tapFile = join(directory, 'tap.jsonl');
    await writeFile(tapFile, '');
    const recorder = new Recorder(tapFile, proxies);
    const cloud = await startLocalCloud({
      directory,
      policyFile,
      dataPlane,
      metrics: { sampleSeconds: 1, lagSeconds: 0.5, evaluateSeconds: 0.5 },
      sweepEverySeconds: 0,
      onStep: recorder.onStep,
      env: {
        NODE_OPTIONS: `--import ${TAP}`,
        SLIPWAY_BENCH_TAP: tapFile,
        [endpointVariable('monitoring')]: proxies.monitoring.url,
        [endpointVariable('pubsub')]: proxies.pubsub.url,
      },
    });
    stack.defer(() => cloud.close());
    proxies.monitoring.leadTo(cloud.urls.monitoring);
    proxies.pubsub.leadTo(cloud.urls.pubsub);
    recorder.nameApis({ ...cloud.urls, monitoring: proxies.monitoring.url, pubsub: proxies.pubsub.url });
    recorder.nameFunctions(cloud.functions.urls);
    await setUpExample(cloud, SLO);
    return new CostWorld(cloud, recorder, stack);
  }

  close(): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async push(version: string): Promise<void> {
    const appDir = join(PROJECT_FOLDER, 'app');
    const image = await buildImage({
      appDir,
      version,
      platforms: ['linux/amd64', 'linux/arm64'],
      attestation: true,
    });
    const repository = `${PROJECT}/apps/${EXAMPLE_SERVICE}`;
    await pushImage(image, { endpoint: this.cloud.urls.registry, repository, tag: version });
  }

  promote(gate: string): void {
    const json = { command: 'promote', service: EXAMPLE_SERVICE, gate, actor: 'bench@example.com' };
    this.cloud.cores.pubsub.publishJson(topicName('rollout-commands'), json);
  }

  alert(): void {
    const labels = { [SERVICE_LABEL]: EXAMPLE_SERVICE };
    const incident = { incident_id: '0.bench', state: 'open', policy_user_labels: labels };
    this.cloud.cores.pubsub.publishJson(topicName('slo-alerts'), { version: '1.2', incident });
  }

  async sweep(): Promise<void> {
    const response = await fetch(this.cloud.functions.urls.sweep, { method: 'POST' });
    await response.body?.cancel();
  }

  async until(tag: string, isSo: (rollout: Rollout) => boolean): Promise<Rollout> {
    const deadlineMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const rollouts = await this.store.list('rollout', { service: EXAMPLE_SERVICE });
      const rollout = rollouts.find(one => one.tag === tag);
      if (rollout && isSo(rollout)) return rollout;
      if (Date.now() > deadlineMs) {
        const said = this.cloud.functions.lastLines().slice(-10).join('\n');
        throw new Error(`${tag} is ${rollout?.phase}: ${rollout?.message}\n${said}`);
      }
      await sleep(realClock, 100);
    }
  }

  /** Waits until nothing happens any more. */
  async quiet(): Promise<void> {
    const deadlineMs = Date.now() + PATIENCE_MS;
    let known = -1;
    for (let size = await this.recorder.size(); size !== known; size = await this.recorder.size()) {
      if (Date.now() > deadlineMs) throw new Error('it does not come to rest');
      known = size;
      await sleep(realClock, QUIET_MS);
    }
  }

  #serve(): void {
    const { run, kubernetes, monitoring } = this.cloud.cores;
    const places = [
      ...REGIONS.map(region => run.backendsOf(PROJECT, region, EXAMPLE_SERVICE)),
      kubernetes.backendsOf('default', EXAMPLE_SERVICE),
    ];
    const serving = places.flat().filter(({ weight, urls }) => weight > 0 && urls.length > 0);
    for (const { by } of serving) {
      for (let count = 0; count < REQUESTS_EACH; count++)
        monitoring.record({ atMs: Date.now(), by, status: 200, latencyMs: 20 });
    }
  }
}
