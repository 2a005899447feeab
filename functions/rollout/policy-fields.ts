import { z } from 'zod';

/** What fields of the policy have in common. */

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

export const duration = z
  .string('expected a duration such as 90s, 10m or 1h')
  .regex(DURATION, 'expected a duration such as 90s, 10m or 1h')
  .transform(durationSeconds)
  .meta({ description: 'A number and a unit: 90s, 10m, 1h.', examples: ['10m'] });

function durationSeconds(text: string): number {
  const [, amount = '0', unit = 's'] = DURATION.exec(text) ?? [];
  return Number(amount) * (UNIT_SECONDS[unit] ?? 1);
}

export const name = z
  .string()
  .regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, 'expected lower-case letters, digits and hyphens, a letter first')
  .max(40, 'expected at most 40 characters');

export const text = z.string().min(1, 'expected some text');
