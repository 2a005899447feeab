import type { protos } from '@google-cloud/run';
import { describe, expect, test } from 'vitest';
import { healthOf, inWords } from '../../../functions/targets/cloud-run-conditions.ts';

type ICondition = protos.google.cloud.run.v2.ICondition;

function failing(details: ICondition): ICondition {
  return { state: 'CONDITION_FAILED', ...details };
}

describe('the health of a revision', () => {
  test('is ready when Ready succeeded, whatever the minimum instances do', () => {
    const conditions: ICondition[] = [
      { type: 'Ready', state: 'CONDITION_SUCCEEDED' },
      failing({ type: 'MinInstancesProvisioned', revisionReason: 'MIN_INSTANCES_NOT_PROVISIONED' }),
      failing({ type: 'Active', revisionReason: 'RESERVE' }),
    ];

    expect(healthOf({ conditions }).phase).toBe('ready');
  });

  test('is pending while nothing is said or a condition reconciles', () => {
    expect(healthOf({}).phase).toBe('pending');
    const conditions: ICondition[] = [
      { type: 'Ready', state: 'CONDITION_RECONCILING', message: 'Deploying Revision.' },
      failing({ type: 'Active', revisionReason: 'RESERVE' }),
    ];
    expect(healthOf({ conditions })).toEqual({ phase: 'pending', message: 'Deploying Revision.' });
  });

  test.each([
    ['MIN_INSTANCES_NOT_PROVISIONED', 'minimum instances are not provisioned'],
    ['MIN_INSTANCES_WARMING', 'minimum instances are still starting'],
  ] as const)('is pending with %s: Cloud Run goes on trying', (revisionReason, words) => {
    const health = healthOf({ conditions: [failing({ type: 'Ready', revisionReason })] });

    expect(health.phase).toBe('pending');
    expect(health.message).toContain(words);
  });

  test.each([
    [{ reason: 'CONTAINER_MISSING' }, 'the image was not found'],
    [{ reason: 'CONTAINER_PERMISSION_DENIED' }, 'not permitted to read the image'],
    [{ reason: 'CONTAINER_IMAGE_UNAUTHORIZED' }, 'refused by Binary Authorization'],
    [{ reason: 'CONTAINER_IMAGE_AUTHORIZATION_CHECK_FAILED' }, 'could not check the image'],
    [{ reason: 'PROGRESS_DEADLINE_EXCEEDED' }, 'within the deadline'],
    [{ reason: 'SECRETS_ACCESS_CHECK_FAILED' }, 'a secret'],
    [{ revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR' }, 'did not pass its health check'],
    [{ revisionReason: 'ACTIVE_REVISION_LIMIT_REACHED' }, 'limit of active revisions'],
  ] satisfies [ICondition, string][])(
    'is failed with %j, in words and with what Cloud Run said',
    (details, words) => {
      const ready = failing({ type: 'Ready', message: 'the words of Cloud Run', ...details });

      const health = healthOf({ conditions: [ready] });

      expect(health.phase).toBe('failed');
      expect(health.message).toContain(words);
      expect(health.message).toContain('the words of Cloud Run');
    },
  );

  test('takes the condition that gives a reason', () => {
    const conditions: ICondition[] = [
      failing({ type: 'Ready' }),
      failing({ type: 'ContainerReady', reason: 'CONTAINER_MISSING', message: 'Image not found.' }),
    ];

    expect(healthOf({ conditions }).message).toBe('the image was not found: Image not found.');
  });
});

test('a condition without reason and message says so', () => {
  expect(inWords({ reason: 'COMMON_REASON_UNDEFINED' })).toBe('Cloud Run gives no reason');
});
