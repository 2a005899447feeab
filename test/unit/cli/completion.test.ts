import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../cli/main.ts';
import { Paper } from './terminal.ts';

async function script(shell: string): Promise<string> {
  const paper = new Paper();
  expect(await run(['completion', shell], paper)).toBe(0);
  return paper.output;
}

describe('completion in bash', () => {
  const lines: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['slipway ', ['get', 'abort', 'verify', '--local'], ['rollout hello']],
    ['slipway pro', ['promote'], ['get']],
    ['slipway get ', ['rollout', '--watch', 'hello'], ['abort']],
    ['slipway list --phase ', ['Healthy', 'RollingBack'], ['--service']],
    ['slipway list --service ', ['hello', 'other'], ['--phase']],
    ['slipway --local abort ', ['here', '--reason'], ['hello']],
    ['slipway abort hello --output j', ['json'], ['yaml']],
    ['slipway abort hello --reason ', [], ['hello', '--actor']],
  ];
  let found: readonly (readonly string[])[];

  /** One bash for all lines; `slipway` in it is a stand-in that knows services. */
  beforeAll(async () => {
    const stub = `slipway() { if [ "$*" = 'completion names --local' ]; then echo here; else echo 'hello other'; fi; }`;
    const asks = lines.map(([line]) => {
      const words = line.split(' ').map(word => `'${word}'`);
      return `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _slipway; echo "\${COMPREPLY[@]}"`;
    });
    const input = [stub, await script('bash'), ...asks].join('\n');
    const ended = spawnSync('bash', ['--norc'], { input, encoding: 'utf8' });
    expect(ended.stderr).toBe('');
    found = ended.stdout.split('\n').map(line => line.split(' '));
  });

  test.each(lines.map((line, index) => [...line, index] as const))(
    'of %j',
    (_line, present, absent, index) => {
      for (const word of present) expect(found[index]).toContain(word);
      for (const word of absent) expect(found[index]).not.toContain(word);
    },
  );
});

test.each(['zsh', 'fish'])('the script for %s knows commands, options and values', async shell => {
  const text = await script(shell);
  for (const word of ['promote', 'watch', 'RollingBack', 'completion names']) expect(text).toContain(word);
});

test('a shell that is none is refused', async () => {
  const paper = new Paper();
  expect(await run(['completion', 'tcsh'], paper)).toBe(2);
  expect(paper.errors).toContain('Expected one of bash, zsh, fish');
});

test('names of services come from a store that answers at once, and from no other', async () => {
  const paper = new Paper({ GOOGLE_CLOUD_PROJECT: 'acme', SLIPWAY_STORE: 'firestore' });
  expect(await run(['completion', 'names'], paper)).toBe(0);
  expect(paper).toMatchObject({ output: '', errors: '' });
});
