import { z } from 'zod';
import { check, duration, millisOf, protoEnum } from '../proto-json.ts';
import { parseSeriesFilter } from './filter.ts';
import { aggregationSchema, checkAggregation } from './query.ts';

const userLabels = z.record(
  z
    .string()
    .regex(
      /^[a-z][a-z0-9_-]{0,62}$/,
      'label keys are lowercase letters, digits, _ and -, beginning with a letter',
    ),
  z.string().max(63),
);

export const serviceSchema = z.looseObject({
  displayName: z.string().default(''),
  userLabels: userLabels.default({}),
});

export type Service = Named<z.output<typeof serviceSchema>>;

/** A filter for one metric that exists and whose values are, or are not, distributions. */
function seriesFilter(takes: 'numbers' | 'distributions') {
  return z.string().superRefine((filter, context) => {
    try {
      const { metricType } = parseSeriesFilter(filter);
      const isDistribution = checkAggregation(metricType, undefined) === 'DISTRIBUTION';
      if (isDistribution === (takes === 'distributions')) return;
      context.addIssue({ code: 'custom', message: `expected a metric of ${takes}, not ${metricType}` });
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
  });
}

const timeSeriesRatio = z
  .object({
    goodServiceFilter: seriesFilter('numbers').optional(),
    badServiceFilter: seriesFilter('numbers').optional(),
    totalServiceFilter: seriesFilter('numbers').optional(),
  })
  .refine(
    filters => Object.values(filters).filter(filter => filter !== undefined).length === 2,
    'expected exactly two of goodServiceFilter, badServiceFilter and totalServiceFilter',
  );

const distributionCut = z.object({
  distributionFilter: seriesFilter('distributions'),
  range: z.object({ min: z.number().optional(), max: z.number().optional() }),
});

export const sloSchema = z
  .looseObject({
    displayName: z.string().default(''),
    goal: z.number().gt(0).max(0.9999),
    rollingPeriod: duration
      .refine(
        text => millisOf(text) % 86_400_000 === 0 && millisOf(text) <= 30 * 86_400_000,
        'expected whole days, at most 30',
      )
      .optional(),
    calendarPeriod: protoEnum(['', 'DAY', 'WEEK', 'FORTNIGHT', 'MONTH']).optional(),
    userLabels: userLabels.default({}),
    serviceLevelIndicator: z.strictObject(
      {
        requestBased: z.union(
          [z.strictObject({ goodTotalRatio: timeSeriesRatio }), z.strictObject({ distributionCut })],
          'expected goodTotalRatio or distributionCut',
        ),
      },
      'the local Monitoring has request-based indicators only',
    ),
  })
  .refine(
    slo => (slo.rollingPeriod === undefined) !== (slo.calendarPeriod === undefined),
    'expected one of rollingPeriod and calendarPeriod',
  );

export type Slo = Named<z.output<typeof sloSchema>>;

/** The API has names for six comparisons and takes these two in conditions. */
const COMPARISONS = ['', 'COMPARISON_GT', '', 'COMPARISON_LT'] as const;

const HALF_HOUR_MS = 1_800_000;
const WEEK_MS = 7 * 86_400_000;

const thresholdSchema = z.strictObject(
  {
    filter: z.string().max(2048),
    aggregations: z.array(aggregationSchema).max(1, 'the local Monitoring aggregates once').default([]),
    comparison: protoEnum(COMPARISONS),
    thresholdValue: z.number().default(0),
    duration: duration.default('0s'),
    trigger: z
      .strictObject({ count: z.number().int().optional(), percent: z.number().optional() })
      .optional(),
  },
  {
    error: issue =>
      issue.input === undefined ? 'the local Monitoring has threshold conditions only' : undefined,
  },
);

const conditionSchema = z.looseObject({
  name: z.string().optional(),
  displayName: z.string().default(''),
  conditionThreshold: thresholdSchema,
});

export const policySchema = z.looseObject({
  displayName: z.string().min(1),
  combiner: protoEnum(['', 'AND', 'OR', 'AND_WITH_MATCHING_RESOURCE']).default('OR'),
  conditions: z.array(conditionSchema).min(1).max(6),
  enabled: z.boolean().default(true),
  notificationChannels: z.array(z.string()).default([]),
  userLabels: userLabels.default({}),
  severity: protoEnum(['SEVERITY_UNSPECIFIED', 'CRITICAL', 'ERROR', 'WARNING']).default(
    'SEVERITY_UNSPECIFIED',
  ),
  documentation: z
    .looseObject({
      content: z.string().default(''),
      mimeType: z.string().default('text/markdown'),
      subject: z.string().optional(),
    })
    .optional(),
  alertStrategy: z
    .looseObject({
      autoClose: duration
        .refine(
          text => millisOf(text) >= HALF_HOUR_MS && millisOf(text) <= WEEK_MS,
          'expected 30 minutes to 7 days',
        )
        .optional(),
      notificationPrompts: z
        .array(protoEnum(['', 'OPENED', '', 'CLOSED']))
        .refine(
          prompts => prompts.length === 0 || prompts.includes('OPENED'),
          'expected [OPENED] or [OPENED, CLOSED]',
        )
        .default([]),
      notificationChannelStrategy: z
        .array(
          z.looseObject({
            notificationChannelNames: z.array(z.string()).default([]),
            renotifyInterval: duration.optional(),
          }),
        )
        .default([]),
    })
    .default({ notificationPrompts: [], notificationChannelStrategy: [] }),
});

export type Policy = Named<z.output<typeof policySchema>>;
export type Condition = Policy['conditions'][number] & { readonly name: string };
export type Threshold = Condition['conditionThreshold'];

export const channelSchema = z.looseObject({
  type: z.literal('pubsub', 'the local Monitoring notifies Pub/Sub topics only'),
  displayName: z.string().default(''),
  enabled: z.boolean().default(true),
  userLabels: userLabels.default({}),
  labels: z.looseObject({
    topic: z.string().regex(/^projects\/[^/]+\/topics\/[^/]+$/, 'expected projects/PROJECT/topics/TOPIC'),
  }),
});

export type Channel = Named<z.output<typeof channelSchema>>;

/** A resource under its full name. */
export type Named<T> = T & { readonly name: string };

export function parseResource<S extends z.ZodType<object>>(
  name: string,
  body: unknown,
  schema: S,
): Named<z.output<S>> {
  return { ...check(body, schema), name };
}
