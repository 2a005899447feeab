import { createHash } from 'node:crypto';
import { stepAt } from '../rollout/plan.ts';
import { isFinal, isRollingOut, type Rollout, type WorkflowKind } from '../rollout/record.ts';
import { isSame } from '../rollout/world.ts';
import { attemptSinceMs, wasHealthy } from './outcome.ts';
import { currentScope } from './scope.ts';
import { parseTraceparent, type TraceContext } from './trace-context.ts';
import type { Attributes, Tracer } from './tracer.ts';

/**
 * A rollout is one span, a rollback another below it. Both outlive every request, so their ids are made of the record:
 * whoever works for them knows the parent, and when they are over the span is written with the times of the record.
 *
 * @returns undefined for a record of old, which does not say which trace it belongs to
 */
export function contextOf(rollout: Rollout, kind: WorkflowKind): TraceContext | undefined {
  const push = parseTraceparent(rollout.traceparent);
  return push && { ...push, spanId: spanIdOf(rollout, kind) };
}

function spanIdOf(rollout: Rollout, kind: WorkflowKind): string {
  const sinceMs = kind === 'rollback' ? rollout.cause?.atMs : attemptSinceMs(rollout);
  return createHash('sha256').update(`${rollout.id}\n${kind}\n${sinceMs}`).digest('hex').slice(0, 16);
}

/** Writes the spans of what has come to its end with this change: a step, a rollback, the rollout. */
export function traceChange(before: Rollout | undefined, rollout: Rollout): void {
  const scope = currentScope();
  const whole = contextOf(rollout, 'rollout');
  if (!scope || !whole) return;
  if (scope.trace.traceId !== whole.traceId) scope.span?.link(whole);
  const { tracer } = scope;
  if (!tracer) return;
  if (before && isRollingOut(before)) traceStep(tracer, whole, before, rollout);
  if (!isFinal(rollout) || before?.phase === rollout.phase) return;
  if (before?.phase === 'RollingBack') traceRollback(tracer, whole, rollout);
  if (!wasHealthy(rollout)) traceRollout(tracer, rollout);
}

function traceStep(tracer: Tracer, parent: TraceContext, before: Rollout, after: Rollout): void {
  const { position, spec, history } = before;
  const isCut = after.phase === 'RollingBack' || after.phase === 'Rejected';
  const isOver = isCut || !isSame(position, after.position);
  if (!isOver || position.wave >= spec.strategy.waves.length) return;
  const begun = history.findLast(
    ({ reason }) => reason === 'RolloutStepCompleted' || reason === 'RolloutStarted',
  );
  // With promote --full steps are left out.
  const step = position.wave === after.position.wave ? stepAt(spec, position) : undefined;
  const span = tracer.start({
    name: `wave ${position.wave + 1} ${step ? `step ${position.step + 1}` : 'promotion'}`,
    parent,
    isLocal: false,
    startMs: begun?.atMs ?? attemptSinceMs(before),
    attributes: {
      ...idsOf(after),
      'slipway.wave': position.wave + 1,
      'slipway.step': position.step + 1,
      'slipway.weight': step && 'setWeight' in step ? step.setWeight : undefined,
      'slipway.targets': spec.strategy.waves[position.wave],
    },
  });
  if (isCut) span.fail(after.message);
  span.end(after.updatedMs);
}

function traceRollback(tracer: Tracer, parent: TraceContext, rollout: Rollout): void {
  const { service, tag, cause, targets, updatedMs } = rollout;
  const lost = Object.entries(targets).filter(([, { status }]) => status === 'Failed');
  const span = tracer.start({
    name: `rollback ${service} ${tag}`,
    parent,
    isLocal: false,
    spanId: spanIdOf(rollout, 'rollback'),
    startMs: cause?.atMs ?? updatedMs,
    attributes: { ...idsOf(rollout), ...causeOf(rollout) },
  });
  if (lost.length > 0) span.fail(`not restored: ${lost.map(([name]) => name).join(', ')}`);
  span.end(updatedMs);
}

function traceRollout(tracer: Tracer, rollout: Rollout): void {
  const { service, tag, phase, attempt, image, digest, message, history, updatedMs } = rollout;
  const sinceMs = attemptSinceMs(rollout);
  const span = tracer.start({
    name: `rollout ${service} ${tag}`,
    parent: parseTraceparent(rollout.traceparent),
    isLocal: false,
    spanId: spanIdOf(rollout, 'rollout'),
    startMs: sinceMs,
    attributes: {
      ...idsOf(rollout),
      ...causeOf(rollout),
      'slipway.phase': phase,
      'slipway.attempt': attempt,
      'container.image.name': image,
      'container.image.tags': [tag],
      'oci.manifest.digest': digest,
      'deployment.id': rollout.id,
      'deployment.name': `${service} ${tag}`,
      'deployment.status': phase === 'Healthy' ? 'succeeded' : 'failed',
    },
  });
  for (const { atMs, reason, message: said, target, weight } of history) {
    if (atMs < sinceMs) continue;
    const attributes = { 'slipway.message': said, 'slipway.target': target, 'slipway.weight': weight };
    span.event(reason, atMs, attributes);
  }
  if (phase !== 'Healthy' && phase !== 'Superseded') span.fail(message);
  span.end(updatedMs);
}

function idsOf({ id, service }: Rollout): Attributes {
  return { 'slipway.rollout': id, 'slipway.service': service };
}

function causeOf({ cause }: Rollout): Attributes {
  return cause ? { 'slipway.cause': cause.kind, 'slipway.cause.message': cause.message } : {};
}
