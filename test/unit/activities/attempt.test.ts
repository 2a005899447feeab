import { expect, test } from 'vitest';
import { attempt } from '../../../functions/activities/run.ts';
import { type ErrorCode, SlipwayError } from '../../../functions/errors.ts';
import type { Target } from '../../../functions/targets/target.ts';

const NOWHERE: Target = {
  observe: () => Promise.reject(new Error('not used')),
  deploy: () => Promise.reject(new Error('not used')),
  probe: () => Promise.reject(new Error('not used')),
  setWeight: () => Promise.reject(new Error('not used')),
  promote: () => Promise.reject(new Error('not used')),
  settle: () => Promise.reject(new Error('not used')),
  restore: () => Promise.reject(new Error('not used')),
};

function failing(code: ErrorCode, retryAfterSeconds?: number) {
  return attempt(
    () => Promise.reject(new SlipwayError('said so', { code, operation: 'x', retryAfterSeconds })),
    NOWHERE,
  );
}

test('a conflict is read and tried again at once', async () => {
  expect(await failing('Conflict')).toEqual({ status: 'again', message: 'said so' });
});

test('trouble that may pass is tried again when the other side says, within a minute', async () => {
  expect(await failing('ResourceExhausted', 7)).toMatchObject({ status: 'again', restSeconds: 7 });
  expect(await failing('Unavailable')).toMatchObject({ status: 'again', restSeconds: 2 });
  expect(await failing('Unavailable', 3600)).toMatchObject({ status: 'again', restSeconds: 60 });
});

test('what no retry can mend is a failed step, in words', async () => {
  expect(await failing('PermissionDenied')).toEqual({ status: 'failed', message: 'said so' });
});

test('a fenced write ends the work, and a bug is not taken for an answer', async () => {
  expect(await failing('Fenced')).toMatchObject({ status: 'fenced' });
  await expect(attempt(() => Promise.reject(new TypeError('bug')), NOWHERE)).rejects.toThrow('bug');
});
