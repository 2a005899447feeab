import type { CallbackRequest, Host } from '../host.ts';
import { decodeJson } from '../json.ts';
import { raised } from '../raised.ts';
import { mapOf, type Value } from '../values.ts';
import { type Args, blocking, instant, type StandardFunction } from './function.ts';
import { HTTP_METHODS } from './http.ts';

export const EVENTS: Readonly<Record<string, StandardFunction>> = {
  'events.create_callback_endpoint': instant('http_callback_method?', createCallback),
  'events.await_callback': blocking('callback timeout?', awaitCallback),
};

const DEFAULT_TIMEOUT_SECONDS = 43_200;

function createCallback(args: Args, host: Host): Value {
  const method = args.string('http_callback_method', 'POST');
  if (!HTTP_METHODS.includes(method)) {
    throw args.badValue('http_callback_method', `must be one of ${HTTP_METHODS.join(', ')}; got: ${method}`);
  }
  return mapOf({ url: host.createCallback(method) });
}

async function awaitCallback(args: Args, host: Host): Promise<Value> {
  const url = args.map('callback').get('url');
  if (typeof url !== 'string')
    throw args.badValue('callback', 'must be what events.create_callback_endpoint gave');
  const timeoutSeconds = args.number('timeout', DEFAULT_TIMEOUT_SECONDS);
  if (!(timeoutSeconds >= 0)) throw args.badValue('timeout', `must not be negative: ${timeoutSeconds}`);
  const request = await host.awaitCallback(url, timeoutSeconds);
  if (request === 'unknown') throw args.badValue('callback', `is no callback of this execution: ${url}`);
  if (!request) throw raised('TimeoutError', 'callback timed out');
  return describe(request);
}

function describe({ method, url, headers, query, body, receivedMs }: CallbackRequest): Value {
  return mapOf({
    http_request: mapOf({
      body: callbackBody(body),
      headers: mapOf(headers),
      method,
      query: mapOf(query),
      url,
    }),
    received_time: new Date(receivedMs).toISOString(),
    type: 'HTTP',
  });
}

function callbackBody(body: Buffer): Value {
  const text = body.toString();
  if (text === '') return null;
  try {
    return decodeJson(text);
  } catch {
    return text;
  }
}
