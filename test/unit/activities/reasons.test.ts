import { expect, test } from 'vitest';
import { reasonsIn } from '../../../functions/activities/lifecycle.ts';

test.each([
  ['the answer of an activity', { status: 'failed', message: 'exec format error' }, ['exec format error']],
  [
    'an HTTP error',
    { tags: ['HttpError'], message: 'code 400', body: { message: 'permission denied' } },
    ['permission denied'],
  ],
  ['a sentence', 'it broke', ['it broke']],
  [
    'what branches threw, each once',
    {
      tags: ['UnhandledBranchError'],
      message: 'One or more branches',
      branches: [
        { id: '0', error: { context: 'c', payload: { body: { message: 'no permission' } } } },
        { id: '1', error: { context: 'c', payload: { body: { message: 'no permission' } } } },
        { id: '2', error: { context: 'RuntimeError' } },
      ],
    },
    ['no permission', 'RuntimeError'],
  ],
])('the reason in %s is found', (_, problem, expected) => {
  expect(reasonsIn(problem)).toEqual(expected);
});
