import type { InstanceState } from '../dataplane/dataplane.ts';
import type { Condition } from './wire.ts';

/** Why a revision cannot serve, as its conditions tell it. */
export interface Refusal {
  /** A CommonReason, for what went wrong before the container was started. */
  readonly reason?: string | undefined;
  /** A RevisionReason, for what went wrong in the container. */
  readonly revisionReason?: string | undefined;
  readonly message: string;
}

export type RevisionState =
  | { readonly phase: 'pending' }
  | { readonly phase: 'ready' }
  | { readonly phase: 'failed'; readonly refusal: Refusal };

const STARTUP_ADVICE =
  'This can happen when the container port is misconfigured or if the timeout is too short. ' +
  'The health check timeout can be extended. Logs for this revision might contain more information.';

/** What a failure of the container means to Cloud Run. */
export function refusalOf(
  failure: Extract<InstanceState, { phase: 'failed' }>,
  image: string,
  port: number,
): Refusal {
  if (failure.reason === 'NoMatchForPlatform') {
    return {
      revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR',
      message: `Cloud Run does not support image '${image}': Container manifest type 'application/vnd.oci.image.index.v1+json' must support amd64/linux.`,
    };
  }
  if (failure.reason === 'ImagePull') {
    return { reason: 'CONTAINER_MISSING', message: `Image '${image}' not found. ${failure.message}` };
  }
  const log = failure.lastLogLines.length > 0 ? ` Last log lines: ${failure.lastLogLines.join(' | ')}` : '';
  const exit = failure.exitCode === undefined ? '' : ` The container exited with code ${failure.exitCode}.`;
  return startupRefusal(port, `${exit} ${failure.message}${log}`);
}

export function startupRefusal(port: number, detail: string): Refusal {
  return {
    revisionReason: 'HEALTH_CHECK_CONTAINER_ERROR',
    message:
      `The user-provided container failed to start and listen on the port defined provided by the PORT=${port} ` +
      `environment variable within the allocated timeout. ${STARTUP_ADVICE}${detail.trimEnd()}`,
  };
}

/** Conditions of a revision. `active`: it gets requests by share or by tag. */
export function revisionConditions(
  state: RevisionState,
  active: boolean,
  time: string,
): readonly Condition[] {
  const base = outcome(state, time);
  const refusal = state.phase === 'failed' ? state.refusal : undefined;
  const healthy = refusal?.reason === undefined;
  const pulled: Condition = healthy
    ? { type: 'ContainerReady', state: 'CONDITION_SUCCEEDED', lastTransitionTime: time }
    : { ...base, type: 'ContainerReady' };
  return [
    { ...base, type: 'Ready' },
    {
      type: 'Active',
      state: active ? 'CONDITION_SUCCEEDED' : 'CONDITION_FAILED',
      severity: 'INFO',
      lastTransitionTime: time,
      ...(active ? {} : { revisionReason: 'RESERVE', message: 'Revision retired or not routed.' }),
    },
    pulled,
    { ...base, type: 'ContainerHealthy' },
    { ...base, type: 'ResourcesAvailable' },
  ];
}

function outcome(state: RevisionState, time: string): Omit<Condition, 'type'> {
  if (state.phase === 'ready') return { state: 'CONDITION_SUCCEEDED', lastTransitionTime: time };
  if (state.phase === 'pending') {
    return {
      state: 'CONDITION_RECONCILING',
      message: 'Deploying Revision.',
      lastTransitionTime: time,
    };
  }
  return { state: 'CONDITION_FAILED', severity: 'ERROR', lastTransitionTime: time, ...state.refusal };
}

/** A part of a service's readiness: its latest revision, or its routes. */
export type Readiness =
  | { readonly phase: 'pending'; readonly message: string }
  | { readonly phase: 'ready' }
  | { readonly phase: 'failed'; readonly refusal: Refusal };

export function serviceConditions(
  configurations: Readiness,
  routes: Readiness,
  time: string,
): { readonly terminal: Condition; readonly conditions: readonly Condition[] } {
  const worst = [configurations, routes].toSorted((a, b) => severity(b) - severity(a))[0] ?? routes;
  return {
    terminal: conditionOf('Ready', worst, time),
    conditions: [
      conditionOf('RoutesReady', routes, time),
      conditionOf('ConfigurationsReady', configurations, time),
    ],
  };
}

/** A failure shows before what is still to come: the service says what is wrong as soon as it knows. */
function severity(readiness: Readiness): number {
  return { ready: 0, pending: 1, failed: 2 }[readiness.phase];
}

function conditionOf(type: string, readiness: Readiness, time: string): Condition {
  if (readiness.phase === 'ready') return { type, state: 'CONDITION_SUCCEEDED', lastTransitionTime: time };
  if (readiness.phase === 'pending') {
    return {
      type,
      state: 'CONDITION_RECONCILING',
      message: readiness.message,
      lastTransitionTime: time,
    };
  }
  return {
    type,
    state: 'CONDITION_FAILED',
    severity: 'ERROR',
    lastTransitionTime: time,
    ...readiness.refusal,
  };
}
