import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePolicy, tagMatches } from '../../../functions/rollout/policy.ts';
import { printProblem } from '../../../functions/rollout/policy-problems.ts';

const EXAMPLE = readFileSync(new URL('../../../rollouts.yaml', import.meta.url), 'utf8');

function problems(source: string): string[] {
  const result = parsePolicy(source, 'rollouts.yaml');
  return result.ok ? [] : result.problems.map(printProblem);
}

function lineOf(text: string): number {
  return EXAMPLE.slice(0, EXAMPLE.indexOf(text)).split('\n').length;
}

describe('the example policy', () => {
  test('parses, with durations in seconds and defaults filled in', () => {
    const result = parsePolicy(EXAMPLE, 'rollouts.yaml');
    const [service] = result.ok ? result.policy.services : [];
    expect(service?.strategy).toMatchObject({ progressDeadline: 600, rollbackWindow: 3600, onBusy: 'queue' });
    expect(service?.strategy.steps[1]).toEqual({ pause: { duration: 600 } });
    expect(service?.targets.map(({ name }) => name)).toEqual(['us', 'eu', 'asia', 'arm']);
  });
});

describe('a wrong policy', () => {
  test('names every wrong field at once, each with its place', () => {
    const wrong = EXAMPLE.replace('setWeight: 25', 'setWeight: 250')
      .replace('duration: 10m', 'duration: 10')
      .replace('onBusy: queue', 'onBussy: queue')
      .replace('{path: /health}', '{path: health}');
    expect(problems(wrong)).toEqual([
      `rollouts.yaml:${lineOf('probe:')}:19: services[0].probe.path: expected a path such as /health, found "health"`,
      `rollouts.yaml:${lineOf('- pause:')}:29: services[0].strategy.steps[1].pause.duration: expected a duration such as 90s, 10m or 1h, found 10`,
      `rollouts.yaml:${lineOf('setWeight: 25')}:22: services[0].strategy.steps[2].setWeight: expected a whole number from 1 to 100, found 250`,
      `rollouts.yaml:${lineOf('onBusy')}:7: services[0].strategy.onBussy: unknown key; see docs/policy.md for the keys there are`,
    ]);
  });

  test('is told what its fields say about each other', () => {
    const wrong = EXAMPLE.replace('[eu, asia]', '[eu, as, us]').replace('setWeight: 50', 'setWeight: 20');
    const messages = problems(wrong).join('\n');
    expect(messages).toContain('no wave has asia; every target needs one');
    expect(messages).toContain('no target is called as; targets are us, eu, asia, arm');
    expect(messages).toContain('us is in a wave already; a target moves once');
    expect(messages).toContain('expected more than the 25 of the step before');
  });

  test.each([
    ['nothing', '', 'rollouts.yaml:1:1: services: expected a list, found nothing'],
    ['no list', 'services: 3', 'rollouts.yaml:1:11: services: expected a list, found 3'],
    ['an unknown key', 'services: []\nsevrices: []', 'rollouts.yaml:2:1: sevrices: unknown key'],
    ['no YAML', 'services: [', 'rollouts.yaml:1:'],
  ])('%s', (_, source, expected) => {
    expect(problems(source).join('\n')).toContain(expected);
  });

  test('that names a target in both places or none is refused', () => {
    const both = EXAMPLE.replace(
      '{project: acme, region: us-east4, service: hello}}',
      '{project: acme, region: us-east4, service: hello}, gke: {cluster: projects/p/locations/l/clusters/c, deployment: d, container: c}}',
    );
    expect(problems(both).join('\n')).toContain('expected either cloudRun or gke');
  });

  test('whose aliases unfold without end is refused, not followed', () => {
    const levels = Array.from(
      { length: 8 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(10).fill(`*a${level}`).join(', ')}]`,
    );
    const bomb = ['a0: &a0 [1]', ...levels, 'services: []'].join('\n');
    expect(problems(bomb).join('\n')).toMatch(/^rollouts\.yaml:1:1: .*alias/i);
  });

  test('with two targets on one place is refused', () => {
    expect(problems(EXAMPLE.replace('europe-west1', 'us-east4')).join('\n')).toContain(
      'another target is this place already',
    );
  });
});

test.each([
  [['v*'], 'v1.2.0', true],
  [['v*'], 'latest', false],
  [['release-?'], 'release-7', true],
  [['1.2'], '1x2', false],
  [[{ semver: '>=1.2 <2' }], 'v1.3.0', true],
  [[{ semver: '>=1.2 <2' }], 'v2.0.0', false],
  [[{ semver: '>=1.2 <2' }], 'latest', false],
] as const)('tag patterns %j match %s: %s', (patterns, tag, expected) => {
  expect(tagMatches(patterns, tag)).toBe(expected);
});
