import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = new URL('../../../functions/rollout/', import.meta.url);
const FILES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));

/** Libraries that compute and do nothing else; node:crypto for hashing; the one error class. */
const PURE = new Set(['zod', 'yaml', 'semver', 'node:crypto', new URL('../errors.ts', FOLDER).href]);

test.each(FILES)('%s imports nothing that does I/O', file => {
  const url = new URL(file, FOLDER);
  const source = readFileSync(url, 'utf8');
  for (const [statement, from = ''] of source.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gm)) {
    const isOnlyTypes = statement.startsWith('import type');
    const place = from.startsWith('.') ? new URL(from, url).href : from;
    expect(isOnlyTypes || place.startsWith(FOLDER.href) || PURE.has(place), statement).toBe(true);
  }
});

test.each(FILES)('%s reads no clock, no chance and no environment', file => {
  const source = readFileSync(new URL(file, FOLDER), 'utf8');
  expect(source).not.toMatch(
    /Date\.now|new Date\(\)|Math\.random|process\.|console\.(?:log|info|warn|error|debug)|setTimeout|fetch\(/,
  );
});
