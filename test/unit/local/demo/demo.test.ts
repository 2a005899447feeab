import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePolicy } from '../../../../functions/rollout/policy.ts';
import { note } from '../../../../functions/rollout/record.ts';
import { servedWeights, withinBinomial } from '../../../../local/demo/measure.ts';
import { demoPolicy } from '../../../../local/demo/policy.ts';
import { aWorld, START_MS } from '../../../worlds.ts';

const EXAMPLE = readFileSync(new URL('../../../../rollouts.yaml', import.meta.url), 'utf8');

describe("the demo's policy", () => {
  test('is rollouts.yaml with other times', () => {
    const [written, played] = [EXAMPLE, demoPolicy(EXAMPLE, { judge: true })].map(source => {
      const result = parsePolicy(source, 'rollouts.yaml');
      return result.ok ? result.policy.services[0] : undefined;
    });
    expect(played?.strategy.steps[1]).toEqual({ pause: { duration: 2 } });
    expect(played?.strategy.steps.length).toBe(written?.strategy.steps.length);
    expect(played?.targets).toEqual(written?.targets);
  });

  test('without the judge', () => {
    const result = parsePolicy(demoPolicy(EXAMPLE, { judge: false }), 'rollouts.yaml');
    expect(result.ok && result.policy.services[0]?.judge).toBe('off');
  });
});

describe('weights that were served', () => {
  test('are within bounds when chance may give them', () => {
    expect(withinBinomial(1000, 5, 50).ok).toBe(true);
    expect(withinBinomial(1000, 5, 85).ok).toBe(false);
    expect(withinBinomial(1000, 50, 400).ok).toBe(false);
  });

  test('are counted while the weight stood, on the target it stood on', () => {
    let { rollout } = aWorld();
    rollout = note(rollout, START_MS, 'TrafficWeightUpdated', 'Advance hello.us canary weight 50', 'us');
    rollout = note(rollout, START_MS + 10, 'RolloutStepCompleted', 'hello wave 1 step 1 completed');
    rollout = note(rollout, START_MS + 1000, 'RolloutStepCompleted', 'hello wave 1 step 2 completed');
    const outcome = (sentMs: number, version: string, region: string) => ({
      sentMs,
      atMs: sentMs + 5,
      status: 200,
      error: undefined,
      version,
      revision: version,
      region,
      architecture: 'amd64',
      clientLocation: undefined,
    });
    const outcomes = [
      outcome(START_MS - 100, 'v1', 'us'),
      outcome(START_MS + 100, 'v1', 'us'),
      outcome(START_MS + 200, 'v0', 'us'),
      outcome(START_MS + 300, 'v1', 'eu'),
      outcome(START_MS + 2000, 'v1', 'us'),
    ];
    const [served] = servedWeights(rollout, outcomes, (target, { region }) => target === region);
    expect(served).toMatchObject({ target: 'us', weight: 50, requests: 2, canary: 1 });
  });
});
