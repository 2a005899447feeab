import { readFile } from 'node:fs/promises';
import type { Clock } from './clock.ts';
import type { FunctionName, Functions } from './functions/functions.ts';
import { LOCATION, PROJECT } from './names.ts';
import type { PubSubCore } from './pubsub/core.ts';
import type { WorkflowsCore } from './workflows/engine.ts';

/** What Terraform makes on Google Cloud: topics with their push subscriptions, the two workflows, the sweep's schedule. */

const TOPICS: Readonly<Record<string, FunctionName | undefined>> = {
  gcr: 'imagePush',
  'rollout-commands': 'command',
  'slo-alerts': 'sloAlert',
  'rollout-events': undefined,
  'dead-letters': undefined,
};

const RETRY_POLICY = { minimumBackoff: '1s', maximumBackoff: '60s' };
const MAX_DELIVERY_ATTEMPTS = 20;
const ACK_DEADLINE_SECONDS = 60;

export function topicName(id: string): string {
  return `projects/${PROJECT}/topics/${id}`;
}

export function createTopics(pubsub: PubSubCore, functions: Functions): void {
  for (const id of Object.keys(TOPICS)) pubsub.createTopic(topicName(id));
  for (const [id, name] of Object.entries(TOPICS)) {
    if (!name) continue;
    pubsub.createSubscription(`projects/${PROJECT}/subscriptions/${id}-${name}`, {
      topic: topicName(id),
      ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
      retryPolicy: RETRY_POLICY,
      deadLetterPolicy: {
        deadLetterTopic: topicName('dead-letters'),
        maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS,
      },
      // The functions framework learns the topic from the path.
      pushConfig: { pushEndpoint: `${functions.urls[name]}/${topicName(id)}` },
    });
  }
}

export async function deployWorkflows(workflows: WorkflowsCore, functions: Functions): Promise<void> {
  const parent = `projects/${PROJECT}/locations/${LOCATION}`;
  for (const id of ['rollout', 'rollback']) {
    const source = await readFile(new URL(`../workflows/${id}.yaml`, import.meta.url), 'utf8');
    workflows.deploy(parent, id, source, { ACTIVITY_URL: functions.urls.activity });
  }
}

/** More often than on Google Cloud, where it is every five minutes: here windows are short. */
const SWEEP_EVERY_MS = 5000;

/** @returns stops it, and waits for a sweep that is under way */
export function runSweep(clock: Clock, functions: Functions): () => Promise<void> {
  let isOver = false;
  let sweeping: Promise<unknown> = Promise.resolve();
  let cancel = clock.after(SWEEP_EVERY_MS, tick);
  function tick(): void {
    sweeping = fetch(functions.urls.sweep, { method: 'POST' })
      .then(response => response.body?.cancel())
      .catch(() => undefined)
      .finally(() => {
        if (!isOver) cancel = clock.after(SWEEP_EVERY_MS, tick);
      });
  }
  return async () => {
    isOver = true;
    cancel();
    await sweeping;
  };
}
