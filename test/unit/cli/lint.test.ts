import { describe, expect, test } from 'vitest';
import { lintFile, printLintProblem } from '../../../cli/lint.ts';

const POLICY = `services:
  - name: hello
    image: registry.example/acme/hello
    targets:
      - {name: us, cloudRun: {project: acme, region: us-east4, service: hello}}
    strategy:
      steps:
        - setWeight: 5
        - pause: {duration: 10m}
    slo: {availability: 99.5}
`;

function problems(source: string, requestsPerSecond?: number): string[] {
  return lintFile('x.yaml', source, { requestsPerSecond }).problems.map(printLintProblem);
}

describe('a policy', () => {
  test('tells what can be seen at each step, and warns at the line where that is not enough', () => {
    const { kind, detections } = lintFile('x.yaml', POLICY, {});
    expect(kind).toBe('policy');
    expect(detections.map(({ service, rows }) => [service, rows.length])).toEqual([['hello', 1]]);
    expect(problems(POLICY)).toEqual([
      expect.stringMatching(
        /^x\.yaml:9:11: warning: services\[0\]\.strategy\.steps\[1\]: at 5 % .* 10x, .* never does/,
      ),
    ]);
  });

  test('tells every problem with its place, and then nothing about steps', () => {
    const wrong = POLICY.replace('setWeight: 5', 'setWeight: 500').replace('name: hello', 'name: Hello!');
    const { detections } = lintFile('x.yaml', wrong, {});
    expect(detections).toEqual([]);
    expect(problems(wrong)).toEqual([
      expect.stringMatching(/^x\.yaml:2:11: error: services\[0\]\.name: expected lower-case letters/),
      expect.stringMatching(/^x\.yaml:8:22: error: services\[0\]\.strategy\.steps\[0\]\.setWeight: /),
    ]);
  });
});

describe('a workflow', () => {
  test('is known by its main', () => {
    expect(problems(`main:\n  steps:\n    - a: {return: "\${x}"}\n`)).toEqual([
      expect.stringMatching(/^x\.yaml:3:20: error in step a: .*symbol 'x'/),
    ]);
  });

  test('may read what its deployment sets', () => {
    const reading = (name: string) => `main:\n  steps:\n    - a: {return: '\${sys.get_env("${name}")}'}\n`;
    expect(problems(reading('ACTIVITY_URL'))).toEqual([]);
    expect(problems(reading('OTHER'))).toHaveLength(1);
  });
});
