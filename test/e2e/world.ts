import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { isFinal, type Rollout } from '../../functions/rollout/record.ts';
import { sqliteStore } from '../../functions/store/sqlite.ts';
import type { Store } from '../../functions/store/store.ts';
import { realClock, sleep } from '../../local/clock.ts';
import { type CloudOptions, type LocalCloud, startLocalCloud } from '../../local/cloud.ts';
import type { FunctionName } from '../../local/functions/functions.ts';
import { buildImage } from '../../local/images/build.ts';
import type { SamplePlatform } from '../../local/images/elf.ts';
import { pushImage } from '../../local/images/push.ts';
import { LOCATION, PROJECT, REGISTRY_HOST } from '../../local/names.ts';
import { topicName } from '../../local/wiring.ts';
import type { Execution } from '../../local/workflows/execution.ts';

export const APP = fileURLToPath(new URL('../../app', import.meta.url));

/** One region, steps without pauses, short deadlines; `change` says what is different. */
export function aPolicyService(name: string, change: object = {}): object {
  return {
    name,
    image: `${REGISTRY_HOST}/${PROJECT}/apps/${name}`,
    targets: [{ name: 'us', cloudRun: { project: PROJECT, region: 'us-east4', service: name } }],
    probe: { path: '/health' },
    strategy: { steps: [{ setWeight: 50 }], progressDeadline: '20s', rollbackWindow: '1h' },
    judge: 'off',
    ...change,
  };
}

/** A strategy with a gate at 50 %. */
export const GATED = {
  strategy: { steps: [{ setWeight: 50 }, { pause: {} }], progressDeadline: '20s', rollbackWindow: '1h' },
};

export interface PushOptions {
  readonly service: string;
  readonly tag: string;
  readonly platforms?: readonly SamplePlatform[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A whole local cloud with a policy of its own: one per test file, one service per test. */
export class E2eWorld {
  readonly cloud: LocalCloud;
  readonly store: Store;
  readonly #directory: string;

  private constructor(cloud: LocalCloud, directory: string) {
    this.cloud = cloud;
    this.store = sqliteStore(cloud.storeFile);
    this.#directory = directory;
  }

  static async open(services: readonly object[], options: Partial<CloudOptions> = {}): Promise<E2eWorld> {
    const directory = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
    const policyFile = join(directory, 'rollouts.yaml');
    await writeFile(policyFile, stringify({ services }, { aliasDuplicateObjects: false }));
    const metrics = { sampleSeconds: 1, lagSeconds: 0.5, evaluateSeconds: 0.5 };
    try {
      const cloud = await startLocalCloud({ directory, policyFile, metrics, ...options });
      return new E2eWorld(cloud, directory);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.cloud.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  writePolicy(text: string): Promise<void> {
    return writeFile(join(this.#directory, 'rollouts.yaml'), text);
  }

  /** Builds and pushes the sample service. @returns digest of the index */
  async push({
    service,
    tag,
    platforms = ['linux/amd64', 'linux/arm64'],
    env = {},
  }: PushOptions): Promise<string> {
    const image = await buildImage({ appDir: APP, version: tag, platforms, env, attestation: true });
    await pushImage(image, {
      endpoint: this.cloud.urls.registry,
      repository: `${PROJECT}/apps/${service}`,
      tag,
    });
    return image.digest;
  }

  publish(topic: string, value: unknown): void {
    this.cloud.cores.pubsub.publishJson(topicName(topic), value);
  }

  /** Posts to a function, as Pub/Sub does. */
  async post(
    name: FunctionName,
    topic: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.cloud.functions.urls[name]}/${topicName(topic)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  }

  async rollouts(service: string): Promise<Rollout[]> {
    return this.store.list('rollout', { service });
  }

  /** Waits until the rollout of a tag is as wanted; final unless told otherwise. */
  async until(service: string, tag: string, isSo: (rollout: Rollout) => boolean = isFinal): Promise<Rollout> {
    let last: Rollout | undefined;
    await this.eventually(
      () =>
        `the rollout of ${service} ${tag}; it is ${last?.phase}: ${last?.message}\n${this.cloud.functions.lastLines().slice(-15).join('\n')}`,
      async () => {
        last = (await this.rollouts(service)).find(one => one.tag === tag);
        return last !== undefined && isSo(last);
      },
    );
    if (!last) throw new Error(`no rollout of ${service} ${tag}`);
    return last;
  }

  async eventually(
    what: () => string,
    isSo: () => boolean | Promise<boolean>,
    timeoutSeconds = 90,
  ): Promise<void> {
    const deadlineMs = Date.now() + timeoutSeconds * 1000;
    while (!(await isSo())) {
      if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutSeconds} s for ${what()}`);
      await sleep(realClock, 40);
    }
  }

  sweep(): Promise<{ status: number; text: string }> {
    return this.post('sweep', 'none', {});
  }

  executions(workflow: 'rollout' | 'rollback', rollout: string): Partial<Execution>[] {
    const { workflows } = this.cloud.cores;
    const name = `projects/${PROJECT}/locations/${LOCATION}/workflows/${workflow}`;
    const found: Partial<Execution>[] = [];
    for (let pageToken: string | undefined = ''; pageToken !== undefined; ) {
      const page = workflows.listExecutions(name, { pageToken, view: 'FULL' });
      found.push(...page.executions.filter(({ labels }) => labels?.['rollout'] === rollout));
      pageToken = page.nextPageToken;
    }
    return found;
  }
}

/** The body of a raw Pub/Sub push. */
export function rawPush(
  topic: string,
  value: unknown,
  messageId: string,
  publishTime = new Date().toISOString(),
): object {
  const data = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
  return {
    subscription: `projects/${PROJECT}/subscriptions/${topic}-test`,
    message: {
      data,
      messageId,
      message_id: messageId,
      publishTime,
      publish_time: publishTime,
      attributes: {},
    },
  };
}

/** Headers of the same as a binary CloudEvent, as Eventarc sends it. */
export function eventHeaders(topic: string, id: string): Record<string, string> {
  return {
    'ce-id': id,
    'ce-specversion': '1.0',
    'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
    'ce-source': `//pubsub.googleapis.com/${topicName(topic)}`,
    'ce-time': new Date().toISOString(),
  };
}
