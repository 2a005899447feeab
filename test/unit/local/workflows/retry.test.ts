// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { describe, expect, test } from 'vitest';
import { SendError } from '../../../../local/workflows/host.ts';
import { createWorld, execute, json, type World } from './support.ts';

/** Makes every request fail with the next of `statuses`, and records when it came. */
function failing(world: World, statuses: readonly number[]): number[] {
  const secondsAt: number[] = [];
  const startMs = world.clock.nowMs();
  let count = 0;
  world.answer = async () => {
    secondsAt.push((world.clock.nowMs() - startMs) / 1000);
    const status = statuses[count++] ?? 200;
    if (status === 0) throw new SendError('ConnectionFailed', 'x: refused');
    if (status === 1) throw new SendError('ConnectionBroken', 'x: reset');
    return json(status, { status });
  };
  return secondsAt;
}

function asking(retry: string, rest = ''): string {
  return `
main:
  steps:
    - ask:
        try: {call: http.get, args: {url: "http://x"}, result: r}
        retry: ${retry}
    - out: {return: "\${r.body.status}"}
${rest}`;
}

describe('retry', () => {
  test('delays grow by the multiplier up to the maximum', async () => {
    const world = createWorld();
    const at = failing(world, [500, 500, 500, 500, 500]);
    const policy =
      '{predicate: "${retry.always}", max_retries: 5, backoff: {initial_delay: 0.5, max_delay: 3, multiplier: 2}}';
    const { state } = await execute(asking(policy), undefined, world);
    expect(state).toBe('SUCCEEDED');
    expect(at).toEqual([0, 0.5, 1.5, 3.5, 6.5, 9.5]);
  });

  test('the default policy retries five times what may pass by itself', async () => {
    const world = createWorld();
    const at = failing(world, [429, 502, 503, 504, 0, 1]);
    const { error } = await execute(asking('${http.default_retry}'), undefined, world);
    expect(at).toEqual([0, 1, 2.25, 3.8125, 5.765625, 8.20703125].map(seconds => expect.closeTo(seconds, 3)));
    expect(error?.payload).toBe(
      '{"message":"ConnectionError: x: reset","tags":["ConnectionError","OSError"]}',
    );
  });

  test.each([
    ['${http.default_retry}', 500, 1],
    ['${http.default_retry_non_idempotent}', 502, 1],
    ['${http.default_retry_non_idempotent}', 1, 1],
    ['${http.default_retry_non_idempotent}', 503, 2],
    ['${http.default_retry_non_idempotent}', 0, 2],
  ])('%s after %i makes %i requests', async (policy, status, requests) => {
    const world = createWorld();
    const at = failing(world, [status]);
    await execute(asking(policy), undefined, world);
    expect(at).toHaveLength(requests);
  });

  test('a predicate of one own decides, with numbers as text or expressions', async () => {
    const world = createWorld();
    const at = failing(world, [500, 404, 500]);
    const policy =
      '{predicate: "${may_help}", max_retries: "${1 + 3}", backoff: {initial_delay: "1", max_delay: 1, multiplier: 1}}';
    const predicate = `
may_help:
  params: [e]
  steps:
    - decide: {return: '\${not("HttpError" in e.tags) or e.code >= 500}'}`;
    const { error } = await execute(asking(policy, predicate), undefined, world);
    expect(at).toEqual([0, 1]);
    expect(error?.payload).toContain('"code":404');
  });

  test('a predicate that fails lets the original error through', async () => {
    const world = createWorld();
    failing(world, [500]);
    const policy = '{predicate: "${broken}", max_retries: 3, backoff: "${retry.default_backoff}"}';
    const { error } = await execute(
      asking(policy, '\nbroken:\n  params: [e]\n  steps: [{s: {return: "${e.missing}"}}]'),
      undefined,
      world,
    );
    expect(error?.payload).toContain('"code":500');
  });

  test('after the last retry the except has the error, and what the attempts wrote is kept', async () => {
    const source = `
- init: {assign: [{count: 0}]}
- work:
    try:
      steps:
        - one: {assign: [{count: "\${count + 1}"}]}
        - two: {raise: again}
    retry: {predicate: "\${retry.always}", max_retries: 2, backoff: {initial_delay: 1, max_delay: 1, multiplier: 1}}
    except: {as: e, return: "\${[e, count]}"}`;
    const { result, duration } = await execute(source);
    expect(result).toBe('["again",3]');
    expect(duration).toBe('2s');
  });
});
