import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { policyJsonSchema } from '../../cli/policy-schema.ts';

test('docs/rollouts.schema.json is what the policy is checked against; npm run schema writes it anew', () => {
  const published = readFileSync(new URL('../../docs/rollouts.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(published)).toEqual(JSON.parse(policyJsonSchema()));
});
