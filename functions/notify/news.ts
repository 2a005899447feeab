import { z } from 'zod';
import { type ReasonToTell, reasonCalled } from '../rollout/notifications.ts';

/** What an event of topic `rollout-events` says to people, docs/events.md. */
export interface News {
  readonly id: string;
  readonly source: string;
  readonly timeMs: number;
  readonly reason: ReasonToTell;
  readonly message: string;
  /** Of what is about no rollout, a lost message say, the rest is undefined. */
  readonly service?: string | undefined;
  readonly rollout?: string | undefined;
  readonly sequence?: number | undefined;
  readonly image?: string | undefined;
  readonly digest?: string | undefined;
  readonly tag?: string | undefined;
  readonly phase?: string | undefined;
  readonly target?: string | undefined;
  /** The topic of a message that was lost or put aside. */
  readonly topic?: string | undefined;
  /** Target → the canary's share in percent. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
  /** The event as it was published. */
  readonly body: string;
}

const optional = z.string().optional().catch(undefined);

export const eventSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string(),
  time: z.iso.datetime(),
  data: z.object({
    customData: z.object({
      reason: optional,
      message: optional,
      problem: optional,
      service: optional,
      rollout: optional,
      sequence: z.number().optional().catch(undefined),
      image: optional,
      digest: optional,
      tag: optional,
      phase: optional,
      target: optional,
      topic: optional,
      text: optional,
      weights: z.record(z.string(), z.number()).optional().catch(undefined),
    }),
  }),
});
type Event = z.output<typeof eventSchema>;

/** Events of no rollout: a `reason` in their `customData` is what a person wrote. */
const REASON_OF_TYPE: Readonly<Record<string, ReasonToTell>> = {
  'dev.slipway.service.frozen': 'ServiceFrozen',
  'dev.slipway.service.unfrozen': 'ServiceUnfrozen',
  'dev.slipway.service.commandrefused': 'CommandRefused',
  'dev.slipway.message.refused': 'MessageRefused',
  'dev.slipway.message.deadlettered': 'MessageDeadLettered',
};

/** @returns undefined for what nobody is told: a reason that this version does not know, or a lost event */
export function newsOf(event: Event, body: string): News | undefined {
  const { id, source, time } = event;
  const { reason: told, problem, text, message, ...about } = event.data.customData;
  const type = withoutVersion(event.type);
  const reason = Object.hasOwn(REASON_OF_TYPE, type) ? REASON_OF_TYPE[type] : reasonCalled(told ?? '');
  if (reason === undefined || isLostEvent(reason, text)) return undefined;
  return {
    ...about,
    id,
    source,
    timeMs: Date.parse(time),
    reason,
    message: message ?? problem ?? '',
    body,
  };
}

function withoutVersion(type: string): string {
  return type.replace(/\.\d+\.\d+\.\d+$/, '');
}

/** To tell of an event that could not be told would be lost in the same way, and so on without end. */
function isLostEvent(reason: ReasonToTell, text: string | undefined): boolean {
  return reason === 'MessageDeadLettered' && /^\s*\{\s*"specversion"/.test(text ?? '');
}
