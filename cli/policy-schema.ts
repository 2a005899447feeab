import { z } from 'zod';
import { policySchema } from '../functions/rollout/policy.ts';

/** The policy's JSON Schema, for completion in editors: docs/rollouts.schema.json. Write it anew with `npm run schema`. */
export function policyJsonSchema(): string {
  const schema = z.toJSONSchema(policySchema, { io: 'input', reused: 'inline' });
  return `${JSON.stringify({ ...schema, title: "Slipway's policy" }, undefined, 2)}\n`;
}

if (import.meta.main) process.stdout.write(policyJsonSchema());
