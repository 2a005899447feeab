// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are expressions of the workflow language
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lintWorkflow } from '../../../../local/workflows/lint.ts';

function linted(source: string, env: readonly string[] = []): readonly string[] {
  return lintWorkflow(source, env).map(
    ({ severity, line, column, message }) => `${line}:${column} ${severity} ${message}`,
  );
}

describe('lint', () => {
  test.each(['rollout', 'rollback'])('workflows/%s.yaml has nothing to complain about', name => {
    const source = readFileSync(new URL(`../../../../workflows/${name}.yaml`, import.meta.url), 'utf8');
    expect(linted(source, ['ACTIVITY_URL'])).toEqual([]);
  });

  test('a variable that the deployment does not set is an error, unless there is a default', () => {
    const source = `
- a: {assign: [{x: '\${sys.get_env("URL")}'}, {y: '\${sys.get_env("URL", "none")}'}]}
- b: {call: sys.get_env, args: {name: OTHER}}
- c: {call: sys.get_env, args: [GOOGLE_CLOUD_PROJECT_ID]}`;
    expect(linted(source)).toEqual([
      "2:21 error error in step a: the environment variable 'URL' is not set by the deployment, and sys.get_env gives no default for it",
      "3:7 error error in step b: the environment variable 'OTHER' is not set by the deployment, and sys.get_env gives no default for it",
    ]);
    expect(linted(source, ['URL', 'OTHER'])).toEqual([]);
  });

  test.each([
    ['not before a comparison', '- s: {return: "${not 1 == 2}"}', "'not' binds tighter than '=='"],
    ['text that looks like interpolation', '- s: {return: "about ${x} items"}', 'taken literally'],
    [
      'a step behind a return',
      '- a: {return: 1}\n- b: {return: 2}',
      "it is never reached: 'a' always goes elsewhere",
    ],
    [
      'a subworkflow that nobody calls',
      'main:\n  steps: [{s: {return: 1}}]\nother:\n  steps: [{s: {return: 1}}]',
      "'other' is never called",
    ],
    [
      'jumping out of a for',
      '- a: {for: {value: v, in: [1], steps: [{s: {next: b}}]}}\n- b: {return: 1}',
      'is not documented; use break',
    ],
  ])('%s is a warning', (_what, source, message) => {
    const problems = lintWorkflow(source, []);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.severity).toBe('warning');
    expect(problems[0]?.message).toContain(message);
  });

  test('what a deployment refuses is told like there', () => {
    expect(linted('- s: {return: "${x}"}')).toEqual([
      expect.stringContaining("1:16 error error in step s: error evaluating return value: symbol 'x'"),
    ]);
  });
});
