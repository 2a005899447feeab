import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { grantsOf } from '../../build/sizes.ts';
import { PHASES } from '../../functions/rollout/record.ts';
import { filesBelow } from '../files.ts';

/** docs/operations.md is read at night: what it quotes is what Slipway says and what Terraform makes. */

const ROOT = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');

/** Texts of the code, with `#` for what is filled in. */
const code = filesBelow(join(ROOT, 'functions'), name => name.endsWith('.ts'))
  .map(file => readFileSync(join(ROOT, 'functions', file), 'utf8').replaceAll(/\$\{[^{}]*\}/g, '#'))
  .join('\n');

/** Code spans of the first column of the tables below a heading. */
function quotedBelow(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const firstCells = [...section.matchAll(/^\| ([^|]*) \|/gm)].map(([, cell = '']) => cell);
  return firstCells.flatMap(cell => [...cell.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span));
}

describe('the runbook', () => {
  test('says of every phase what to do', () => {
    expect(quotedBelow('At night')).toEqual([...PHASES]);
  });

  test.each(['It seems stuck', 'An alert fires and nothing is taken back'])(
    'quotes what is said: %s',
    heading => {
      const quoted = quotedBelow(heading).map(text =>
        text.replace('an SLO alert', '#').replaceAll(/\d+/g, '#'),
      );
      expect(quoted.length).toBeGreaterThan(0);
      expect(quoted.filter(text => !code.includes(text))).toEqual([]);
    },
  );

  test('seeks in subscriptions that there are', () => {
    const file = z.object({ locals: z.object({ subscribers: z.record(z.string(), z.string()) }) });
    const { locals } = file.parse(
      JSON.parse(readFileSync(join(ROOT, 'terraform/modules/platform/messaging.tf.json'), 'utf8')),
    );
    const names = Object.entries(locals.subscribers).map(([topic, name]) => `${topic}-${name}`);
    const sought = [...page.matchAll(/subscriptions seek (\S+)/g)].map(([, name]) => name);
    expect(sought.length).toBeGreaterThan(0);
    expect(names).toEqual(expect.arrayContaining(sought));
  });

  test('has the sizes of every function', async () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| [\d,]+ kB \| \d+ ms \|/gm)].map(([, name]) => name);
    expect(rows).toEqual(Object.keys(await grantsOf(ROOT)));
  });
});
