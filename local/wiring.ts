import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { PROJECT_FOLDER } from './files.ts';
import type { FunctionName, Functions } from './functions/functions.ts';
import { LOCATION, PROJECT } from './names.ts';
import type { PubSubCore } from './pubsub/core.ts';
import type { WorkflowsCore } from './workflows/engine.ts';

/** What Terraform makes on Google Cloud: topics with their push subscriptions, the two workflows, the sweep's schedule. */

const TOPICS: Readonly<Record<string, FunctionName | undefined>> = {
  gcr: 'imagePush',
  'rollout-commands': 'command',
  'slo-alerts': 'sloAlert',
  'rollout-events': 'notify',
  'dead-letters': 'deadLetter',
};

const MINIMUM_BACKOFF = '1s';
const MAXIMUM_BACKOFF = '60s';
/** With a longer backoff twenty deliveries last for an hour: so long a chat may be away and nobody misses a message. */
const PATIENT: Readonly<Record<string, string>> = { 'rollout-events': '300s' };
const DEAD_LETTERS = 'dead-letters';
const ACK_DEADLINE_SECONDS = 60;

export function topicName(id: string): string {
  return `projects/${PROJECT}/topics/${id}`;
}

const DEAD_LETTER_POLICY = { deadLetterTopic: topicName(DEAD_LETTERS), maxDeliveryAttempts: 20 };

export function createTopics(pubsub: PubSubCore, functions: Functions): void {
  for (const id of Object.keys(TOPICS)) pubsub.createTopic(topicName(id));
  for (const [id, name] of Object.entries(TOPICS)) {
    if (!name) continue;
    pubsub.createSubscription(`projects/${PROJECT}/subscriptions/${id}-${name}`, {
      topic: topicName(id),
      ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
      retryPolicy: { minimumBackoff: MINIMUM_BACKOFF, maximumBackoff: PATIENT[id] ?? MAXIMUM_BACKOFF },
      // A dead letter that cannot be put on record stays where it is: there is nothing behind.
      ...(id === DEAD_LETTERS ? {} : { deadLetterPolicy: DEAD_LETTER_POLICY }),
      // The functions framework learns the topic from the path.
      pushConfig: { pushEndpoint: `${functions.urls[name]}/${topicName(id)}` },
    });
  }
}

export async function deployWorkflows(workflows: WorkflowsCore, functions: Functions): Promise<void> {
  const parent = `projects/${PROJECT}/locations/${LOCATION}`;
  for (const id of ['rollout', 'rollback']) {
    const source = await readFile(join(PROJECT_FOLDER, 'workflows', `${id}.yaml`), 'utf8');
    workflows.deploy(parent, id, source, { ACTIVITY_URL: functions.urls.activity });
  }
}

/** More often than on Google Cloud, where it is every five minutes: here windows are short. */
const SWEEP_EVERY_SECONDS = 5;

/**
 * @param everySeconds 0 for never
 * @returns stops it, and waits for a sweep that is under way
 */
export function runSweep(
  clock: Clock,
  functions: Functions,
  everySeconds: number = SWEEP_EVERY_SECONDS,
): () => Promise<void> {
  let isOver = everySeconds === 0;
  let sweeping: Promise<unknown> = Promise.resolve();
  let cancel = isOver ? () => {} : clock.after(everySeconds * 1000, tick);
  function tick(): void {
    sweeping = fetch(functions.urls.sweep, { method: 'POST' })
      .then(response => response.body?.cancel())
      .catch(() => undefined)
      .finally(() => {
        if (!isOver) cancel = clock.after(everySeconds * 1000, tick);
      });
  }
  return async () => {
    isOver = true;
    cancel();
    await sweeping;
  };
}
