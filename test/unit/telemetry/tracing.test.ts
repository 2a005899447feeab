import { afterEach, describe, expect, test } from 'vitest';
import { requestSchema } from '../../../functions/activities/run.ts';
import { readSettings } from '../../../functions/settings.ts';
import { activityEntry, messageEntry } from '../../../functions/telemetry/entries.ts';
import { contextOf } from '../../../functions/telemetry/rollout-trace.ts';
import { currentScope, currentTraceparent, inSpan } from '../../../functions/telemetry/scope.ts';
import { type Entry, entered, telemetryFrom } from '../../../functions/telemetry/telemetry.ts';
import { parseTraceparent } from '../../../functions/telemetry/trace-context.ts';
import { type OtlpReceiver, otlpReceiver } from '../../otlp-receiver.ts';
import { aWorld, START_MS } from '../../worlds.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';

const entry: Entry = { name: 'work', kind: 'server', parent: parseTraceparent(PARENT), fields: {} };
const logged: string[] = [];
let receiver: OtlpReceiver | undefined;

afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
  delete process.env[ENDPOINT];
  logged.length = 0;
});

/** The SDK reads the process's environment itself. */
function telemetry(env: Readonly<Record<string, string>>, nowMs = () => START_MS) {
  Object.assign(process.env, env);
  return telemetryFrom(env, {
    settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' }),
    nowMs,
    log: (_, message) => logged.push(message),
  });
}

describe('without an endpoint', () => {
  test('nothing is loaded, and the trace is passed on as it came', async () => {
    const idle = telemetry({});
    expect(await idle.tracer()).toBeUndefined();
    expect(
      await entered(idle, entry, () => inSpan({ name: 'inner' }, async () => currentTraceparent())),
    ).toBe(PARENT);
  });

  test('a request without a trace gets one, for its log lines', async () => {
    const scope = await entered(telemetry({}), { ...entry, parent: undefined }, async () => currentScope());
    expect(scope?.trace).toMatchObject({ isSampled: false });
  });

  test.each([
    ['OTEL_SDK_DISABLED', 'true'],
    ['OTEL_TRACES_EXPORTER', 'none'],
  ])('is how it is with %s, too', async (name, value) => {
    const disabled = telemetryFrom(
      { [ENDPOINT]: 'http://127.0.0.1:1', [name]: value },
      { settings: readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' }), nowMs: () => 0, log: () => {} },
    );
    expect(await disabled.tracer()).toBeUndefined();
  });
});

describe('with an endpoint', () => {
  test('a request is traced although the servers before it did not, and what fails in it says so', async () => {
    receiver = await otlpReceiver();
    const work = () => inSpan({ name: 'inner' }, () => Promise.reject(new Error('no')));
    await expect(entered(telemetry({ [ENDPOINT]: receiver.url }), entry, work)).rejects.toThrow('no');
    const [inner, outer] = receiver.spans;
    expect(outer).toMatchObject({
      name: 'work',
      parentSpanId: 'b7ad6b7169203331',
      status: { code: 2, message: 'no' },
    });
    expect(inner).toMatchObject({ name: 'inner', parentSpanId: outer?.spanId, traceId: outer?.traceId });
  });

  test('a receiver that hangs holds a request up for a second, once a minute, and fails none', async () => {
    let nowMs = START_MS;
    let release = () => {};
    const hanging = new Promise<number>(resolve => {
      release = () => resolve(200);
    });
    receiver = await otlpReceiver(() => hanging);
    const hung = telemetry({ [ENDPOINT]: receiver.url }, () => nowMs);
    expect(await entered(hung, entry, async () => 'one')).toBe('one');
    expect(logged).toEqual([expect.stringContaining('spans are not handed over for 60 s')]);
    expect(await entered(hung, entry, async () => 'two')).toBe('two');
    expect(receiver.spans).toHaveLength(1);
    release();
    nowMs += 61_000;
    expect(await entered(hung, entry, async () => 'three')).toBe('three');
    expect(receiver.spans).toHaveLength(3);
    expect(logged).toHaveLength(1);
  });

  test('one that makes no sense is told, and nothing else happens', async () => {
    const senseless = telemetry({ [ENDPOINT]: 'not a URL' });
    expect(await entered(senseless, entry, async () => 'done')).toBe('done');
    expect(logged).toEqual([expect.stringContaining('nothing is traced')]);
  });
});

describe('where a request comes from', () => {
  const message = (attributes: object, traceparent?: string) =>
    messageEntry('imagePush', {
      id: '1',
      type: 'x',
      specversion: '1.0',
      source: '//pubsub.googleapis.com/projects/acme/topics/gcr',
      data: { message: { data: '', messageId: '1', attributes } },
      ...(traceparent ? { traceparent } : {}),
    });
  const other = PARENT.replace('b7', 'c7');

  test('its message says, also as other publishers write it, before its delivery does', () => {
    expect(message({ traceparent: PARENT }, other).parent).toEqual(entry.parent);
    expect(message({ googclient_traceparent: PARENT }, other).parent).toEqual(entry.parent);
    expect(message({ traceparent: '<script>' }, PARENT).parent).toEqual(entry.parent);
    expect(message({}).parent).toBeUndefined();
  });

  test('the headers of a call say', () => {
    const body = { activity: 'deploy', rollout: 'hello-1', execution: 'e', epoch: 2, target: 'us' };
    const call = (headers: Record<string, string>) =>
      activityEntry({ method: 'POST', headers, body } as Parameters<typeof activityEntry>[0]);
    expect(requestSchema.safeParse(body).success).toBe(true);
    expect(call({ traceparent: PARENT })).toMatchObject({ name: 'activity deploy', parent: entry.parent });
    expect(call({ traceparent: '' }).parent).toBeUndefined();
    const older = { 'x-cloud-trace-context': '0af7651916cd43dd8448eb211c80319c/13235353014750950193' };
    expect(call(older).parent).toEqual(entry.parent);
    expect(call({}).fields).toMatchObject({ rollout: 'hello-1', target: 'us', epoch: 2, execution: 'e' });
  });
});

describe('the span of a rollout', () => {
  const { rollout } = aWorld();
  const traced = { ...rollout, traceparent: PARENT };

  test('is known to everybody from the record, before it is written', () => {
    const context = contextOf(traced, 'rollout');
    expect(context).toEqual(contextOf({ ...traced, epoch: 7, phase: 'Paused' }, 'rollout'));
    expect(context?.traceId).toBe(entry.parent?.traceId);
    expect(contextOf({ ...traced, attempt: 2, attemptMs: START_MS + 1 }, 'rollout')).not.toEqual(context);
    expect(contextOf(traced, 'rollback')).not.toEqual(context);
  });

  test('has no trace in a record of old, or in one that somebody tampered with', () => {
    expect(contextOf(rollout, 'rollout')).toBeUndefined();
    expect(contextOf({ ...rollout, traceparent: 'x' }, 'rollout')).toBeUndefined();
  });
});
