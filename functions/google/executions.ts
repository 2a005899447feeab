import type { ExecutionsClient } from '@google-cloud/workflows';
import { SlipwayError } from '../errors.ts';
import { calling, codeOfHttpStatus } from './errors.ts';

const TIMEOUT_MS = 20_000;

/**
 * Starts an execution; its argument is ids alone: the rollout's, and where its trace goes on.
 * @returns the execution's full name
 */
export async function createExecution(
  client: ExecutionsClient,
  workflow: string,
  rollout: string,
  traceparent?: string,
): Promise<string> {
  const [execution] = await calling(`start an execution of ${workflow}`, () =>
    client.createExecution(
      {
        parent: workflow,
        execution: {
          argument: JSON.stringify({ rollout, traceparent }),
          labels: { rollout: rollout.slice(0, 63) },
        },
      },
      { timeout: TIMEOUT_MS },
    ),
  );
  return execution.name ?? '';
}

/** Whether an execution still runs or waits for its turn; one that is not known is over. */
export async function isExecutionActive(client: ExecutionsClient, name: string): Promise<boolean> {
  try {
    const [execution] = await calling(`read ${name}`, () =>
      client.getExecution({ name }, { timeout: TIMEOUT_MS }),
    );
    return (
      execution.state === 'ACTIVE' ||
      execution.state === 'QUEUED' ||
      execution.state === 1 ||
      execution.state === 6
    );
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'NotFound') return false;
    throw error;
  }
}

/**
 * Wakes an execution that waits at a callback. One that waits no longer (404), or has a poke lying there already (429),
 * needs none: it reads the record when it looks next.
 */
export async function callCallback(url: string, accessToken: string | undefined): Promise<void> {
  const operation = 'poke the waiting execution';
  const headers = {
    'content-type': 'application/json',
    ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
  };
  const response = await calling(operation, () =>
    fetch(url, { method: 'POST', headers, body: '{}', signal: AbortSignal.timeout(TIMEOUT_MS) }),
  );
  await response.body?.cancel();
  if (response.ok || response.status === 404 || response.status === 429) return;
  throw new SlipwayError(`${operation}: status ${response.status}`, {
    code: codeOfHttpStatus(response.status),
    operation,
  });
}
