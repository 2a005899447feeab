/**
 * What the record's words look like: a mark and a colour beside the word, never instead of it.
 *
 * @import { Button } from '../contract.ts'
 * @import { CauseKind, HistoryEntry, Phase, TargetStatus } from '../../rollout/record.ts'
 * @import { Judgement } from '../../rollout/judge.ts'
 * @import { Mark } from './marks.js'
 *
 * @typedef {'wait' | 'go' | 'hold' | 'back' | 'good' | 'bad' | 'gone'} Tone
 * @typedef {{ readonly mark: Mark, readonly tone: Tone, readonly word: string }} Look
 */

/** @type {Readonly<Record<Phase, Look>>} */
export const PHASES = {
  Pending: { mark: '◷', tone: 'wait', word: 'Pending' },
  Progressing: { mark: '◌', tone: 'go', word: 'Progressing' },
  Paused: { mark: '॥', tone: 'hold', word: 'Paused' },
  RollingBack: { mark: '⚠', tone: 'back', word: 'Rolling back' },
  Healthy: { mark: '✔', tone: 'good', word: 'Healthy' },
  Degraded: { mark: '✖', tone: 'bad', word: 'Degraded' },
  Rejected: { mark: '✖', tone: 'bad', word: 'Rejected' },
  Superseded: { mark: '✖', tone: 'gone', word: 'Superseded' },
};

/** @type {Readonly<Record<TargetStatus, Look>>} */
export const STATUSES = {
  Waiting: { mark: '◷', tone: 'wait', word: 'Waiting' },
  Armed: { mark: '◷', tone: 'wait', word: 'Armed' },
  Deploying: { mark: '◌', tone: 'go', word: 'Deploying' },
  Ready: { mark: '◌', tone: 'go', word: 'Ready' },
  Shifting: { mark: '◌', tone: 'go', word: 'Shifting' },
  Canary: { mark: '✔', tone: 'go', word: 'Canary' },
  Promoting: { mark: '◌', tone: 'go', word: 'Promoting' },
  Promoted: { mark: '✔', tone: 'good', word: 'Promoted' },
  Settled: { mark: '✔', tone: 'good', word: 'Settled' },
  Restoring: { mark: '⚠', tone: 'back', word: 'Restoring' },
  Restored: { mark: '✔', tone: 'gone', word: 'Restored' },
  Failed: { mark: '✖', tone: 'bad', word: 'Failed' },
};

/** @type {Readonly<Record<Judgement['verdict'], Look & { readonly means: string }>>} */
export const VERDICTS = {
  Successful: { mark: '✔', tone: 'good', word: 'Successful', means: 'as good as it must be' },
  Failed: { mark: '✖', tone: 'bad', word: 'Failed', means: 'measured, and worse than it may be' },
  Inconclusive: { mark: '◷', tone: 'wait', word: 'Inconclusive', means: 'too few requests to tell' },
  Error: { mark: '⚠', tone: 'back', word: 'Error', means: 'could not be measured' },
};

/** @type {Readonly<Record<CauseKind, string>>} */
export const CAUSES = {
  Judge: 'The judge found the canary worse than it may be',
  ProgressDeadline: 'It made no progress in time',
  Target: 'A target failed',
  Abort: 'A person aborted it',
  Alert: 'An SLO alert',
  Undo: 'A person took it back',
  Superseded: 'A newer push took its place',
  Workflow: 'The workflow gave up',
};

/** @typedef {'traffic' | 'judge' | 'people' | 'trouble' | 'course'} EventKind */

/** @type {Readonly<Record<EventKind, { readonly word: string, readonly tone: Tone }>>} */
export const EVENT_KINDS = {
  course: { word: 'Course', tone: 'wait' },
  traffic: { word: 'Traffic', tone: 'go' },
  judge: { word: 'Judge', tone: 'hold' },
  people: { word: 'People', tone: 'gone' },
  trouble: { word: 'Trouble', tone: 'bad' },
};

/** @type {Readonly<Partial<Record<HistoryEntry['reason'], EventKind>>>} */
const KIND_OF = {
  TrafficWeightUpdated: 'traffic',
  TargetPromoted: 'traffic',
  TargetRestored: 'traffic',
  RegionDrained: 'traffic',
  RegionKept: 'traffic',
  RegionUndrained: 'traffic',
  AnalysisRunSuccessful: 'judge',
  AnalysisRunInconclusive: 'judge',
  AnalysisRunFailed: 'judge',
  AnalysisRunError: 'judge',
  RolloutAborted: 'people',
  RolloutPaused: 'people',
  RolloutResumed: 'people',
  RolloutPromoted: 'people',
  RolloutUndone: 'people',
  RolloutRetried: 'people',
  ServiceFrozen: 'people',
  ServiceUnfrozen: 'people',
  CommandRefused: 'people',
  RollingBack: 'trouble',
  RolledBack: 'trouble',
  RestoreFailed: 'trouble',
  AlertRecorded: 'trouble',
  AlertClosed: 'trouble',
  MessageLost: 'trouble',
  RolloutRejected: 'trouble',
};

/**
 * @param {HistoryEntry['reason']} reason
 * @returns {EventKind}
 */
export function kindOf(reason) {
  return KIND_OF[reason] ?? 'course';
}

/** @type {Readonly<Record<Button['command'], { readonly word: string, readonly means: string }>>} */
export const COMMANDS = {
  promote: { word: 'Promote', means: 'Opens the gate, or ends the pause, that it waits at.' },
  'promote full': { word: 'Promote fully', means: 'Skips every gate and pause that is left.' },
  pause: { word: 'Pause', means: 'Holds it where it is, until somebody resumes it.' },
  resume: { word: 'Resume', means: 'Lets it go on after a pause that somebody gave.' },
  abort: { word: 'Abort', means: 'Takes it back everywhere, and keeps its digest out.' },
  undo: { word: 'Undo', means: 'Puts back what served before it.' },
  retry: { word: 'Retry', means: 'Tries the same digest again, from the first step.' },
  freeze: { word: 'Freeze', means: 'Nothing of the service starts or advances any more.' },
  unfreeze: { word: 'Unfreeze', means: 'Lets the service go on.' },
  drain: { word: 'Drain', means: 'Takes the region out of the load balancer.' },
  undrain: { word: 'Undrain', means: 'Brings the region back into the load balancer.' },
};

/** @type {readonly Phase[]} */
export const MOVING = ['Pending', 'Progressing', 'Paused', 'RollingBack'];

/** @param {Phase} phase */
export function isMoving(phase) {
  return MOVING.includes(phase);
}
