import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Rollout } from '../../functions/rollout/record.ts';
import { topicName } from '../../local/wiring.ts';
import { type OtlpReceiver, otlpReceiver, type ReceivedSpan } from '../otlp-receiver.ts';
import { Crowd, oneOfTheCrowd, SHARED_IMAGE } from './crowd.ts';
import { GATED } from './world.ts';

/** One service goes all the way and back again by an alert; another is aborted at its gate. */

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PUSHED_BY = 'b7ad6b7169203331';

let receiver: OtlpReceiver;
let crowd: Crowd;
let healthy: Rollout;
let back: Rollout;
let aborted: Rollout;

beforeAll(async () => {
  receiver = await otlpReceiver();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-test=told',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  };
  crowd = await Crowd.open([oneOfTheCrowd('whole', GATED), oneOfTheCrowd('cut', GATED)], { env });
  await Promise.all([crowd.serve('whole'), crowd.serve('cut')]);
  const digest = await crowd.build('1');
  push('whole-1', digest, `00-${TRACE}-${PUSHED_BY}-01`);
  // What is no trace context harms nobody.
  push('cut-1', digest, '00-zzzz<script>-1');
  await Promise.all([
    crowd.world.until('whole', 'whole-1', atGate),
    crowd.world.until('cut', 'cut-1', atGate),
  ]);
  give('whole', 'promote');
  give('cut', 'abort');
  aborted = await crowd.world.until('cut', 'cut-1');
  healthy = await crowd.world.until('whole', 'whole-1');
  alert('whole');
  back = await crowd.world.until('whole', 'whole-1', ({ phase }) => phase === 'Degraded');
  // Spans go out before an answer does, and the workflow of a rollback ends with one.
  await crowd.world.eventually(
    () => 'the spans of both rollbacks',
    () => receiver.spans.filter(({ name }) => name === 'activity restored').length === 2,
  );
}, 180_000);
afterAll(async () => {
  await crowd?.close();
  await receiver?.close();
});

function push(tag: string, digest: string, traceparent: string): void {
  const value = { action: 'INSERT', digest: `${SHARED_IMAGE}@${digest}`, tag: `${SHARED_IMAGE}:${tag}` };
  crowd.world.cloud.cores.pubsub.publishJson(topicName('gcr'), value, { traceparent });
}

function give(service: string, command: string): void {
  crowd.world.publish('rollout-commands', { service, command, actor: 'me' });
}

function alert(service: string): void {
  crowd.world.publish('slo-alerts', {
    version: '1.2',
    incident: { incident_id: '0.a', state: 'open', policy_user_labels: { slipway_service: service } },
  });
}

const atGate = ({ phase, message }: Rollout) => phase === 'Paused' && message.includes('waiting for promote');

function named(name: string | RegExp, of = 'whole'): ReceivedSpan[] {
  return receiver.spans.filter(span => {
    const isAbout =
      span.attributes['slipway.service'] === of || span.attributes['slipway.rollout'] === back.id;
    return isAbout && (typeof name === 'string' ? span.name === name : name.test(span.name));
  });
}

function only(spans: readonly ReceivedSpan[]): ReceivedSpan {
  expect(spans.map(({ name }) => name)).toHaveLength(1);
  const [span] = spans;
  if (!span) throw new Error('no such span');
  return span;
}

function startMs({ startTimeUnixNano }: ReceivedSpan): number {
  return Number(BigInt(startTimeUnixNano) / 1_000_000n);
}

function endMs({ endTimeUnixNano }: ReceivedSpan): number {
  return Number(BigInt(endTimeUnixNano) / 1_000_000n);
}

describe('a rollout', () => {
  test('is one trace, the one of the message that began it', () => {
    const own = receiver.spans.filter(({ attributes }) => attributes['slipway.rollout'] === back.id);
    expect(new Set(own.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    expect(back.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  });

  test('is one span, from the push to its end, below the push', () => {
    const consumer = only(receiver.spans.filter(({ parentSpanId }) => parentSpanId === PUSHED_BY));
    expect(consumer.name).toBe('process gcr');
    const whole = only(named('rollout whole whole-1'));
    expect(whole.parentSpanId).toBe(consumer.spanId);
    expect(startMs(whole)).toBe(healthy.createdMs);
    expect(endMs(whole)).toBe(healthy.updatedMs);
    const told = healthy.history.map(({ reason }) => reason);
    expect(whole.events.map(({ name }) => name)).toEqual(told);
    expect(whole.attributes).toMatchObject({ 'slipway.phase': 'Healthy', 'deployment.status': 'succeeded' });
  });

  test('has its steps below it, one after the other', () => {
    const whole = only(named('rollout whole whole-1'));
    const steps = named(/^wave/);
    expect(steps.map(({ name }) => name)).toEqual(['wave 1 step 1', 'wave 1 step 2', 'wave 1 promotion']);
    for (const step of steps) expect(step.parentSpanId).toBe(whole.spanId);
    expect(steps.slice(1).map(startMs)).toEqual(steps.slice(0, -1).map(endMs));
  });

  test('has below it what the workflow asked for, and below that what it took', () => {
    const whole = only(named('rollout whole whole-1'));
    const weight = named('activity setWeight').at(-1);
    expect(weight?.parentSpanId).toBe(whole.spanId);
    expect(weight?.attributes).toMatchObject({
      'slipway.target': 'us',
      'slipway.wave': 1,
      'slipway.step': 1,
      'slipway.status': 'done',
      'http.request.method': 'POST',
    });
    const below = receiver.spans.filter(({ parentSpanId }) => parentSpanId === weight?.spanId);
    expect(below.map(({ name }) => name)).toContain('store transaction');
    expect(only(named('launch rollout')).parentSpanId).toBe(whole.spanId);
    expect(receiver.spans.some(({ name, traceId }) => name === 'verify image' && traceId === TRACE)).toBe(
      true,
    );
  });

  test('passes its trace on with every event', () => {
    const published = receiver.spans.filter(
      one => one.name === 'publish rollout-events' && one.traceId === TRACE,
    );
    const consumed = receiver.spans.filter(
      one => one.name === 'process rollout-events' && one.traceId === TRACE,
    );
    const producers = new Set(published.map(({ spanId }) => spanId));
    expect(consumed).not.toHaveLength(0);
    for (const { parentSpanId } of consumed) expect(producers).toContain(parentSpanId);
  });
});

describe('a rollback', () => {
  test('joins the trace of its rollout, whoever began it', () => {
    const rollback = only(named('rollback whole whole-1'));
    expect(rollback).toMatchObject({
      traceId: TRACE,
      parentSpanId: only(named('rollout whole whole-1')).spanId,
    });
    expect(startMs(rollback)).toBe(back.cause?.atMs);
    for (const name of ['launch rollback', 'activity restore', 'activity restored']) {
      const spans = named(name);
      expect(spans, name).not.toHaveLength(0);
      for (const { parentSpanId } of spans) expect(parentSpanId).toBe(rollback.spanId);
    }
  });

  test('is linked from the alert, which has a trace of its own', () => {
    const received = only(receiver.spans.filter(({ name }) => name === 'process slo-alerts'));
    expect(received.traceId).not.toBe(TRACE);
    expect(received.links.map(({ traceId }) => traceId)).toContain(TRACE);
  });

  test('ends a rollout that was cut short as a failure', () => {
    const whole = only(receiver.spans.filter(({ name }) => name === 'rollout cut cut-1'));
    expect(whole.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(whole.status).toEqual({ code: 2, message: aborted.message });
    const gate = only(
      receiver.spans.filter(one => one.name === 'wave 1 step 2' && one.traceId === whole.traceId),
    );
    expect(gate.status.code).toBe(2);
  });
});

test('the receiver learns what the standard variables say', () => {
  expect(receiver.headers.every(headers => headers['x-test'] === 'told')).toBe(true);
  expect(receiver.spans[0]?.resource).toMatchObject({
    'service.name': 'slipway',
    'gcp.project_id': 'acme',
    'deployment.environment.name': 'test',
  });
});

test('log lines carry the trace and the rollout', () => {
  const lines = crowd.world.cloud.functions
    .lastLines()
    .filter(line => line.includes(back.id))
    .map(line => JSON.parse(line) as Record<string, unknown>);
  expect(lines).not.toHaveLength(0);
  for (const line of lines) {
    expect(line).toMatchObject({ rollout: back.id, service: 'whole' });
    expect(line['logging.googleapis.com/trace']).toMatch(/^projects\/acme\/traces\/[0-9a-f]{32}$/);
  }
});
