import { z } from 'zod';
import { SlipwayError } from '../../functions/errors.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { type Row, recorded, type Traffic } from './traffic.ts';

const counts = z.object({ good: z.number().min(0), bad: z.number().min(0) });

/** Of a record what is needed: the points that the judge saw, by wave. */
const recordSchema = z.object({
  id: z.string(),
  service: z.string(),
  trend: z.array(z.object({ atMs: z.number(), wave: z.int().min(0), canary: counts, stable: counts })),
  history: z
    .array(
      z.object({
        atMs: z.number(),
        reason: z.string(),
        target: z.string().optional(),
        weight: z.number().optional(),
      }),
    )
    .default([]),
});

export type RolloutRecord = z.output<typeof recordSchema>;

/** @throws SlipwayError when it is none */
export function readRecord(source: string, file: string): RolloutRecord {
  const refuse = (why: string, cause?: unknown) =>
    new SlipwayError(`${file}: ${why}; expected what \`slipway get rollout NAME -o json\` prints.`, {
      code: 'InvalidArgument',
      operation: `read ${file}`,
      cause,
    });
  const json = parse(source);
  if (!json.ok) throw refuse(json.why);
  const given = json.value;
  const inner = typeof given === 'object' && given !== null && 'rollout' in given ? given.rollout : given;
  const parsed = recordSchema.safeParse(inner);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(`${issue?.path.map(String).join('.') || 'it'}: ${issue?.message}`);
  }
  if (parsed.data.trend.length === 0)
    throw refuse(`the judge saw nothing of ${parsed.data.id}, its trend is empty`);
  return parsed.data;
}

function parse(source: string): { ok: true; value: unknown } | { ok: false; why: string } {
  try {
    return { ok: true, value: JSON.parse(source) };
  } catch (error) {
    return { ok: false, why: `no JSON: ${error instanceof Error ? error.message : error}` };
  }
}

/**
 * What the judge saw, look by look. A record does not tell targets apart: all of a wave is given to its first, so the judge
 * looks at one target where there were several.
 */
export function recordedTraffic({ id, trend, history }: RolloutRecord, { strategy }: Service): Traffic {
  const rows: Row[] = [];
  for (const wave of new Set(trend.map(point => point.wave))) {
    const [target] = strategy.waves[wave] ?? [];
    if (target === undefined) continue;
    const points = trend.filter(point => point.wave === wave);
    const startMs = beginningOf(points, history, strategy.waves[wave] ?? []);
    let seen = { canary: { good: 0, bad: 0 }, stable: { good: 0, bad: 0 } };
    for (const { atMs, canary, stable } of points) {
      for (const side of ['canary', 'stable'] as const) {
        const now = side === 'canary' ? canary : stable;
        // Late points may take away from what was seen before.
        const good = Math.max(0, now.good - seen[side].good);
        const bad = Math.max(0, now.bad - seen[side].bad);
        rows.push({ target, side, endMs: atMs - startMs, counts: { good, bad } });
      }
      seen = { canary, stable };
    }
  }
  return recorded(rows, `the record of ${id}, ${trend.length} looks of the judge`);
}

/** When the wave began to serve: its first weight. Records of before that was written have the first look. */
function beginningOf(
  points: RolloutRecord['trend'],
  history: RolloutRecord['history'],
  members: readonly string[],
): number {
  const firstMs = points[0]?.atMs ?? 0;
  const before = history.filter(({ atMs }) => atMs <= firstMs);
  // An earlier attempt had weights of its own.
  const beganMs =
    before.findLast(({ reason }) => reason === 'RolloutStarted')?.atMs ?? Number.NEGATIVE_INFINITY;
  const weights = before.filter(
    ({ reason, target, atMs }) =>
      reason === 'TrafficWeightUpdated' && atMs >= beganMs && members.some(name => name === target),
  );
  return Math.min(firstMs - 1, ...weights.map(({ atMs }) => atMs));
}
