import { z } from 'zod';
import { globMatches } from './globs.ts';
import { name, text } from './policy-fields.ts';
import type { Reason } from './record.ts';
import { templateProblem } from './template.ts';

/** An entry of the policy's `notifications`: who is told, by which way, of what. */
export type Destination = z.output<typeof notificationSchema>;
export type ReasonToTell = Reason | 'MessageRefused' | 'MessageDeadLettered';

interface Telling {
  /** What a person reads at first sight. */
  readonly mark: string;
  readonly title: string;
  /** Told unless `reasons` says otherwise: the beginning, the end, and whatever asks for a person or is bad news. */
  readonly byDefault?: true;
  /** Something is wrong: comes first where messages are summed up. */
  readonly isBad?: true;
}

export const TELLINGS: Readonly<Record<ReasonToTell, Telling>> = {
  RolloutCreated: { mark: '◷', title: 'Created' },
  RolloutQueued: { mark: '◷', title: 'Queued' },
  RolloutStarted: { mark: '▶', title: 'Started', byDefault: true },
  RolloutRejected: { mark: '✖', title: 'Rejected', byDefault: true, isBad: true },
  RolloutSuperseded: { mark: '⏭', title: 'Superseded' },
  RolloutCompleted: { mark: '✔', title: 'Completed', byDefault: true },
  RolloutSettled: { mark: '✔', title: 'Settled' },
  RolloutAborted: { mark: '■', title: 'Aborted' },
  RolloutPaused: { mark: '॥', title: 'Held', byDefault: true },
  RolloutResumed: { mark: '▶', title: 'Resumed' },
  RolloutPromoted: { mark: '▶', title: 'Promoted' },
  RolloutUndone: { mark: '↩', title: 'Undone' },
  RolloutRetried: { mark: '▶', title: 'Retried' },
  RolloutStepCompleted: { mark: '▶', title: 'Step completed' },
  RollingBack: { mark: '↩', title: 'Rolling back', byDefault: true, isBad: true },
  RolledBack: { mark: '↩', title: 'Rolled back', byDefault: true, isBad: true },
  CanaryPauseStep: { mark: '॥', title: 'Waiting', byDefault: true },
  CanaryReady: { mark: '◌', title: 'Canary ready' },
  TrafficWeightUpdated: { mark: '▶', title: 'Weight' },
  TargetPromoted: { mark: '▶', title: 'Target promoted' },
  TargetRestored: { mark: '↩', title: 'Target restored' },
  RestoreFailed: { mark: '✖', title: 'Restore failed', byDefault: true, isBad: true },
  AnalysisRunSuccessful: { mark: '✔', title: 'Verdict Successful' },
  AnalysisRunInconclusive: { mark: '◌', title: 'Verdict Inconclusive' },
  AnalysisRunFailed: { mark: '✖', title: 'Verdict Failed', byDefault: true, isBad: true },
  AnalysisRunError: { mark: '⚠', title: 'Verdict Error' },
  AlertRecorded: { mark: '⚠', title: 'SLO alert', isBad: true },
  AlertClosed: { mark: '✔', title: 'SLO alert closed' },
  MessageLost: { mark: '⚠', title: 'Message lost', byDefault: true, isBad: true },
  PreflightWaiting: { mark: '◷', title: 'Preflight waits' },
  PreflightPassed: { mark: '✔', title: 'Preflight passed' },
  RegionDrained: { mark: '⚠', title: 'Region drained', byDefault: true, isBad: true },
  RegionKept: { mark: '⚠', title: 'Region not drained', isBad: true },
  RegionUndrained: { mark: '✔', title: 'Region back' },
  ServiceFrozen: { mark: '॥', title: 'Service frozen' },
  ServiceUnfrozen: { mark: '▶', title: 'Service unfrozen' },
  CommandRefused: { mark: '✖', title: 'Command refused' },
  MessageRefused: { mark: '⚠', title: 'Message put aside' },
  MessageDeadLettered: { mark: '⚠', title: 'Message lost', byDefault: true, isBad: true },
};

const isReason = (key: string): key is ReasonToTell => Object.hasOwn(TELLINGS, key);
export const REASONS: readonly ReasonToTell[] = Object.keys(TELLINGS).filter(isReason);
export const TOLD_BY_DEFAULT: readonly ReasonToTell[] = REASONS.filter(one => TELLINGS[one].byDefault);

/** @returns undefined for one that this version does not know */
export function reasonCalled(key: string): ReasonToTell | undefined {
  return isReason(key) ? key : undefined;
}

/** Becomes a file name below SLIPWAY_SECRETS: no path leads out of the folder. Secret Manager allows the same names. */
const secretName = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{1,255}$/,
    'expected the name of a secret: at most 255 letters, digits, hyphens and underscores',
  );

const urlInSecret = secretName.meta({ description: 'Name of the secret that holds the URL.' });

const chat = z.strictObject({ secret: urlInSecret });

const webhook = z
  .strictObject({
    url: z
      .string()
      .refine(
        isPlainHttps,
        'expected an https URL without user name, password and fragment; one that is secret goes into a secret',
      )
      .optional()
      .meta({ description: 'Where the event is posted to, where that is no secret.' }),
    secret: urlInSecret.optional(),
    signingSecret: secretName.meta({
      description: 'Name of the secret that holds the key of the signature.',
    }),
  })
  .refine(
    spec => (spec.url === undefined) !== (spec.secret === undefined),
    'expected either url, or secret with the URL in it',
  );

function isPlainHttps(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && url.username === '' && url.password === '' && url.hash === '' && isSafeScheme(url);
}

/** What is sent may not be read on the way. */
export function isSafeScheme({ protocol, hostname }: URL): boolean {
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}

const reason = z.enum(REASONS, `expected one of ${REASONS.join(', ')}`);

const template = text.max(2000, 'expected at most 2000 characters').superRefine((value, { addIssue }) => {
  const problem = templateProblem(value);
  if (problem) addIssue({ code: 'custom', message: problem });
});

export const notificationSchema = z
  .strictObject({
    name,
    slack: chat.optional().meta({ description: 'An incoming webhook of Slack.' }),
    googleChat: chat.optional().meta({ description: 'An incoming webhook of a Google Chat space.' }),
    webhook: webhook
      .optional()
      .meta({ description: 'Any other receiver: gets the event itself, as a signed CloudEvent.' }),
    services: z
      .array(text)
      .min(1, 'expected at least one name or glob')
      .default(['*'])
      .meta({ description: 'Names of services; globs.' }),
    reasons: z
      .union(
        [z.literal('all'), z.array(reason).min(1, 'expected at least one reason')],
        'expected all, or a list of reasons',
      )
      .default([...TOLD_BY_DEFAULT])
      .meta({ description: 'What is told.' }),
    template: template.optional().meta({
      description: 'The text of the message, with {{service}}, {{tag}}, {{message}} and so on in it.',
    }),
  })
  .refine(
    ({ slack, googleChat, webhook }) =>
      [slack, googleChat, webhook].filter(one => one !== undefined).length === 1,
    'expected exactly one of slack, googleChat and webhook',
  )
  .refine(spec => spec.webhook === undefined || spec.template === undefined, {
    path: ['template'],
    message: 'a webhook gets the event itself; templates are for slack and googleChat',
  });

/**
 * Whether a destination wants to hear of it. What is about no service, as a lost message, is for those who hear of all
 * services.
 */
export function wants(
  { services, reasons }: Pick<Destination, 'services' | 'reasons'>,
  { service, reason }: { readonly service: string | undefined; readonly reason: ReasonToTell },
): boolean {
  if (reasons !== 'all' && !reasons.includes(reason)) return false;
  return services.some(glob => (service === undefined ? glob === '*' : globMatches(glob, service)));
}
