import { describe, expect, test } from 'vitest';
import { commandLine, run } from '../../../cli/main.ts';
import { Paper } from './terminal.ts';

async function slipway(...argv: string[]): Promise<{ code: number; paper: Paper }> {
  const paper = new Paper({ SLIPWAY_POLICY: '/nowhere/rollouts.yaml' });
  return { code: await run(argv, paper), paper };
}

describe('usage', () => {
  test.each([
    ['a command that is none', ['deploy'], "unknown command 'deploy'"],
    ['an argument that is missing', ['verify'], "missing required argument 'image'"],
    ['an option that is none', ['lint', '--fast'], "unknown option '--fast'"],
    ['a rate that is no number', ['lint', '--rps', 'many'], 'Expected a number above 0'],
    ['a percentage that is none', ['plan', '--stable-errors', '101'], 'Expected a percentage'],
    ['a duration without end', ['verify', 'x', '--timeout', '0s'], 'Expected a duration'],
    ['a format that is none', ['plan', '--output', 'xml'], 'Allowed choices are text, json'],
    ['an image that is none', ['verify', 'a b'], 'is not an image reference'],
    ['a file that is not there', ['lint'], 'cannot read /nowhere/rollouts.yaml: ENOENT'],
  ])('%s ends with 2 and says so', async (_what, argv, message) => {
    const { code, paper } = await slipway(...argv);
    expect(code).toBe(2);
    expect(paper.errors).toContain(message);
    expect(paper.output).toBe('');
    expect(paper.errors).not.toContain('    at ');
  });

  test.each([
    ['a phase that is none', ['list', '--phase', 'Fine'], 'Allowed choices are Pending, Progressing'],
    ['a limit of none', ['history', 'hello', '--limit', '0'], 'Expected a whole number from 1'],
    [
      'a digest that is none',
      ['rollout', 'hello', '--digest', 'abc'],
      'Expected sha256: and 64 hexadecimal digits',
    ],
    [
      'a state that no execution has',
      ['workflows', 'executions', '--state', 'dead'],
      'Expected one of ACTIVE, SUCCEEDED, FAILED',
    ],
    [
      'a password in a URL',
      ['load', 'http://ann:secret@127.0.0.1/'],
      'without a password; --header sends one',
    ],
    ['a rollout without a digest', ['rollout', 'hello'], "required option '--digest <digest>' not specified"],
  ])('%s ends with 2 before anything is asked', async (_what, argv, message) => {
    const { code, paper } = await slipway(...argv);
    expect(code).toBe(2);
    expect(paper.errors).toContain(message);
  });

  test('help is an answer, and names the exit codes', async () => {
    const { code, paper } = await slipway('--help');
    expect(code).toBe(0);
    expect(paper.output).toMatch(
      /Exit codes:\n {2}0 {2}accepted.*\n {2}1 {2}rejected.*\n {2}2 {2}could not tell/,
    );
  });

  test('tells its version, and leaves that word to the commands that have it', async () => {
    const { code, paper } = await slipway('--version');
    expect(code).toBe(0);
    expect(paper.output).toMatch(/^\d+\.\d+\.\d+\n$/);
    const push = ['local', 'push', '--to', 'nowhere', '--version', 'v1'];
    expect(await slipway(...push)).toMatchObject({ code: 2, paper: { output: '' } });
  });

  test('help on every command has an example of it', () => {
    const { commands } = commandLine(new Paper(), () => {});
    const leaves = commands.flatMap(one => (one.commands.length > 0 ? one.commands : [one]));
    expect(leaves.length).toBeGreaterThan(20);
    for (const command of leaves) {
      const paper = new Paper();
      command.configureOutput({ writeOut: paper.out }).outputHelp();
      expect(paper.output).toMatch(new RegExp(`\nExample:\n {2}.*slipway .*${command.name()}`));
    }
  });
});
