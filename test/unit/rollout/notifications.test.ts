import { describe, expect, test } from 'vitest';
import { REASONS, TOLD_BY_DEFAULT, wants } from '../../../functions/rollout/notifications.ts';
import { parsePolicy } from '../../../functions/rollout/policy.ts';
import { printProblem } from '../../../functions/rollout/policy-problems.ts';
import { fillTemplate } from '../../../functions/rollout/template.ts';

function parse(notifications: string) {
  return parsePolicy(`services: []\nnotifications:\n${notifications}`, 'rollouts.yaml');
}

function problems(notifications: string): string[] {
  const result = parse(notifications);
  return result.ok ? [] : result.problems.map(printProblem);
}

describe('notifications of the policy', () => {
  test('may be missing', () => {
    expect(parsePolicy('services: []', 'rollouts.yaml')).toMatchObject({
      ok: true,
      policy: { notifications: [] },
    });
  });

  test('are about all services and what a person should know, unless they say otherwise', () => {
    expect(parse('  - {name: oncall, slack: {secret: slack-oncall}}')).toEqual({
      ok: true,
      policy: {
        services: [],
        notifications: [
          { name: 'oncall', slack: { secret: 'slack-oncall' }, services: ['*'], reasons: TOLD_BY_DEFAULT },
        ],
      },
    });
    expect(TOLD_BY_DEFAULT).toEqual([
      'RolloutStarted',
      'RolloutRejected',
      'RolloutCompleted',
      'RolloutPaused',
      'RollingBack',
      'RolledBack',
      'CanaryPauseStep',
      'RestoreFailed',
      'AnalysisRunFailed',
      'MessageLost',
      'RegionDrained',
      'MessageDeadLettered',
    ]);
  });

  test.each([
    ['{name: a}', '[0]: expected exactly one of slack, googleChat and webhook'],
    [
      '{name: a, slack: {secret: s}, googleChat: {secret: t}}',
      '[0]: expected exactly one of slack, googleChat and webhook',
    ],
    ['{name: a, slack: {secret: ../key}}', 'slack.secret: expected the name of a secret'],
    ['{name: a, slack: {secret: s, chanel: x}}', 'slack.chanel: unknown key'],
    ['{name: a, slack: {secret: s}, service: [b]}', 'service: unknown key'],
    ['{name: a, webhook: {signingSecret: k}}', 'webhook: expected either url, or secret'],
    [
      '{name: a, webhook: {url: "https://a.example", secret: s, signingSecret: k}}',
      'webhook: expected either url, or secret',
    ],
    ['{name: a, webhook: {secret: s}}', 'webhook.signingSecret: expected string, found nothing'],
    [
      '{name: a, webhook: {url: "http://a.example", signingSecret: k}}',
      'webhook.url: expected an https URL without user name',
    ],
    [
      '{name: a, webhook: {url: "https://u:p@a.example", signingSecret: k}}',
      'webhook.url: expected an https URL without user name',
    ],
    ['{name: a, slack: {secret: s}, reasons: [Rolledback]}', 'reasons[0]: expected one of RolloutCreated'],
    ['{name: a, slack: {secret: s}, reasons: []}', 'expected at least one reason'],
    ['{name: a, slack: {secret: s}, reasons: most}', 'reasons: expected all, or a list of reasons'],
    ['{name: a, slack: {secret: s}, services: []}', 'services: expected at least one name or glob'],
    [
      '{name: a, slack: {secret: s}, template: "{{servise}}"}',
      'template: no variable is called "servise"; there are service, tag',
    ],
    ['{name: a, slack: {secret: s}, template: "{{service}"}', 'template: expected every {{ to be closed'],
    [
      '{name: a, webhook: {secret: s, signingSecret: k}, template: "{{tag}}"}',
      'template: a webhook gets the event itself',
    ],
  ])('%s is refused', (entry, expected) => {
    expect(problems(`  - ${entry}`).join('\n')).toContain(expected);
  });

  test('have different names, and what is wrong is found beside what is wrong with services', () => {
    const source =
      'services: [{name: Bad}]\nnotifications: [{name: a, slack: {secret: s}}, {name: a, slack: {secret: t}}]';
    const result = parsePolicy(source, 'rollouts.yaml');
    const found = result.ok ? [] : result.problems.map(printProblem);
    expect(found.join('\n')).toContain('services[0].name: expected lower-case letters');
    expect(found.join('\n')).toContain(
      'notifications[1].name: expected a name that no other destination has',
    );
  });

  test('are a list', () => {
    expect(parsePolicy('services: []\nnotifications: {}', 'r.yaml')).toMatchObject({
      ok: false,
      problems: [{ path: 'notifications', message: 'expected a list' }],
    });
  });
});

describe('who wants what', () => {
  test.each([
    [['*'], 'hello', true],
    [['pay*'], 'payments', true],
    [['pay*'], 'hello', false],
    [['a', 'hello'], 'hello', true],
    [['*'], undefined, true],
    [['pay*'], undefined, false],
  ])('services %j and service %s: %s', (services, service, expected) => {
    expect(wants({ services, reasons: 'all' }, { service, reason: 'RolledBack' })).toBe(expected);
  });

  test('only what its reasons name, and with `all` everything', () => {
    const one = { services: ['*'], reasons: ['RolledBack' as const] };
    expect(wants(one, { service: 'hello', reason: 'RolledBack' })).toBe(true);
    expect(wants(one, { service: 'hello', reason: 'TrafficWeightUpdated' })).toBe(false);
    const all = { services: ['*'], reasons: 'all' as const };
    expect(REASONS.every(reason => wants(all, { service: 'hello', reason }))).toBe(true);
  });
});

test('a template is filled in one pass: braces in a value stay what they are', () => {
  const filled = fillTemplate('{{ service }} {{tag}}: {{message}}', name =>
    name === 'message' ? '{{tag}} $& $1' : name,
  );
  expect(filled).toBe('service tag: {{tag}} $& $1');
});

test('a template of white space takes no time worth speaking of', () => {
  const [problem] = problems(`  - {name: a, slack: {secret: s}, template: "{{${' '.repeat(1900)}"}`);
  expect(problem).toContain('expected every {{ to be closed');
});
