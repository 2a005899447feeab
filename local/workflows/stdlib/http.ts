import { type Host, type IncomingHttp, SendError } from '../host.ts';
import { decodeJson, encodeJson } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { failure, limitExceeded, raised } from '../raised.ts';
import { isBytes, isList, isMap, mapOf, type Value, type ValueMap } from '../values.ts';
import { type Args, blocking, type StandardFunction } from './function.ts';
import { urlEncode } from './text.ts';

const CONNECTION = 'headers? query? auth? private_service_name? ca_certificate?';
const withBody = (method: string) =>
  blocking(`url timeout? body? ${CONNECTION}`, (args, host) => request(args, host, method));

export const HTTP: Readonly<Record<string, StandardFunction>> = {
  'http.get': blocking(`url timeout? ${CONNECTION}`, (args, host) => request(args, host, 'GET')),
  'http.post': withBody('POST'),
  'http.put': withBody('PUT'),
  'http.patch': withBody('PATCH'),
  'http.delete': withBody('DELETE'),
  'http.request': blocking(`method url timeout? body? ${CONNECTION}`, (args, host) =>
    request(args, host, anyMethod(args)),
  ),
};

export const HTTP_METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];

function anyMethod(args: Args): string {
  const method = args.string('method').toUpperCase();
  if (HTTP_METHODS.includes(method)) return method;
  throw args.badValue('method', `must be one of ${HTTP_METHODS.join(', ')}; got: ${method}`);
}

const DEFAULT_TIMEOUT_SECONDS = 300;
const USER_AGENT = 'GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)';

async function request(args: Args, host: Host, method: string): Promise<Value> {
  for (const name of ['private_service_name', 'ca_certificate']) {
    if (args.given(name) !== undefined) throw args.badValue(name, 'is not supported here');
  }
  const timeoutSeconds = args.number('timeout', DEFAULT_TIMEOUT_SECONDS);
  if (!(timeoutSeconds > 0 && timeoutSeconds <= LIMITS.httpTimeoutSeconds)) {
    throw args.badValue('timeout', `must be above 0 and at most ${LIMITS.httpTimeoutSeconds} seconds`);
  }
  const url = requestUrl(args);
  const headers = requestHeaders(args, host, url);
  const body = requestBody(args, headers);
  const answer = await deliver(host, { method, url: url.href, headers, body }, timeoutSeconds);
  return interpret(args, answer);
}

function requestUrl(args: Args): URL {
  const text = args.string('url');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw args.badValue('url', `is no http or https URL: '${text}'`);
  }
  const url = new URL(text);
  if (args.given('query') === undefined) return url;
  const pairs = [...args.map('query')].flatMap(([key, value]) =>
    (isList(value) ? value : [value]).map(item => `${urlEncode(key)}=${urlEncode(queryText(args, item))}`),
  );
  const before = url.search.replace(/^\?/, '');
  url.search = [before, ...pairs].filter(Boolean).join('&');
  return url;
}

function queryText(args: Args, value: Value): string {
  if (typeof value === 'object') throw args.wrongType('query', 'a map of strings, numbers and booleans');
  return String(value);
}

function requestHeaders(args: Args, host: Host, url: URL): Record<string, string> {
  const headers: Record<string, string> = {};
  if (args.given('headers') !== undefined) {
    for (const [name, value] of args.map('headers')) {
      if (typeof value === 'object') throw args.wrongType('headers', 'a map of strings');
      headers[name] = String(value);
    }
  }
  const agent = headerName(headers, 'user-agent') ?? 'User-Agent';
  headers[agent] = [headers[agent], USER_AGENT].filter(Boolean).join(' ');
  if (args.given('auth') !== undefined) headers['Authorization'] = `Bearer ${token(args, host, url)}`;
  return headers;
}

function headerName(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.keys(headers).find(key => key.toLowerCase() === name);
}

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

/** A token that says what it stands for and that nobody can mistake for a real one: `local-` and what it was asked for. */
function token(args: Args, host: Host, url: URL): string {
  const auth = args.map('auth');
  const known = ['type', 'audience', 'scope', 'scopes'];
  const unknown = [...auth.keys()].find(key => !known.includes(key));
  if (unknown !== undefined) throw args.badValue('auth', `has an unknown key '${unknown}'`);
  const email = host.env('GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME') ?? null;
  const type = auth.get('type');
  if (type === 'OIDC') {
    const audience = auth.get('audience') ?? url.href;
    if (typeof audience !== 'string') throw args.badValue('auth', "needs a string for 'audience'");
    return `local-oidc.${encodeClaims({ aud: audience, email })}`;
  }
  if (type === 'OAuth2') return `local-oauth2.${encodeClaims({ scope: scopes(args, auth), email })}`;
  throw args.badValue('auth', "needs type 'OIDC' or 'OAuth2'");
}

function encodeClaims(claims: Readonly<Record<string, Value>>): string {
  return Buffer.from(encodeJson(mapOf(claims))).toString('base64url');
}

function scopes(args: Args, auth: ValueMap): string {
  const scope = auth.get('scopes') ?? auth.get('scope') ?? CLOUD_PLATFORM;
  const items = isList(scope) ? scope : [scope];
  return items
    .flatMap(item => {
      if (typeof item !== 'string') throw args.badValue('auth', 'needs strings for its scopes');
      return item.split(/[\s,]+/);
    })
    .join(' ');
}

/** Adds the content type of the body to the headers where the workflow gave none. */
function requestBody(args: Args, headers: Record<string, string>): Buffer | undefined {
  const body = args.given('body');
  if (body === undefined) return undefined;
  const name = headerName(headers, 'content-type');
  if (name === undefined) {
    headers['Content-Type'] = isBytes(body) ? 'application/octet-stream' : 'application/json; charset=utf-8';
    return isBytes(body) ? Buffer.from(body) : json(args, body);
  }
  if (isBytes(body)) return Buffer.from(body);
  const type = headers[name] ?? '';
  if (isJsonType(type)) return json(args, body);
  if (/^application\/x-www-form-urlencoded/i.test(type) && isMap(body)) return form(args, body);
  if (typeof body === 'string') return Buffer.from(body);
  throw args.badValue('body', `cannot be encoded as ${type}: give a string or bytes`);
}

function json(args: Args, body: Value): Buffer {
  try {
    return Buffer.from(encodeJson(body));
  } catch (error) {
    throw args.badValue('body', `cannot be encoded: ${error instanceof Error ? error.message : error}`);
  }
}

function form(args: Args, body: ValueMap): Buffer {
  const fields = new URLSearchParams();
  for (const [key, value] of body) {
    for (const item of isList(value) ? value : [value]) {
      if (typeof item === 'object') throw args.wrongType('body', 'a map of strings, numbers and booleans');
      fields.append(key, String(item));
    }
  }
  return Buffer.from(fields.toString());
}

function isJsonType(type: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\b/i.test(type);
}

async function deliver(
  host: Host,
  outgoing: Parameters<Host['send']>[0],
  timeoutSeconds: number,
): Promise<IncomingHttp> {
  let answer: IncomingHttp | undefined;
  try {
    answer = await host.send(outgoing, timeoutSeconds);
  } catch (error) {
    if (!(error instanceof SendError)) throw error;
    const tag = error.kind === 'ConnectionFailed' ? 'ConnectionFailedError' : 'ConnectionError';
    throw failure(tag, error.message);
  }
  if (!answer) throw raised('TimeoutError', 'request timed out');
  if (answer.body.length > LIMITS.httpResponse) {
    throw limitExceeded(`HTTP response of ${answer.body.length} bytes; the limit is ${LIMITS.httpResponse}`);
  }
  return answer;
}

function interpret(args: Args, { status, headers, body }: IncomingHttp): Value {
  const canonical = new Map(Object.entries(headers).map(([name, value]) => [canonicalName(name), value]));
  const code = BigInt(status);
  const decoded = responseBody(args, canonical.get('Content-Type') ?? '', body, status >= 400);
  if (status < 400) return mapOf({ body: decoded, code, headers: canonical });
  throw raised('HttpError', `HTTP server responded with error code ${status}`, {
    body: decoded,
    code,
    headers: canonical,
  });
}

function canonicalName(name: string): string {
  return name.toLowerCase().replaceAll(/(^|-)([a-z])/g, (_, dash, letter) => dash + letter.toUpperCase());
}

/** JSON is decoded, text is a string, anything else bytes. An error keeps an unreadable body as text. */
function responseBody(args: Args, type: string, body: Buffer, isError: boolean): Value {
  if (isJsonType(type)) {
    if (body.length === 0) return null;
    try {
      return decodeJson(body.toString());
    } catch {
      if (isError) return body.toString();
      throw args.badValue('url', `answered ${type}, but the body is not JSON`);
    }
  }
  if (body.length === 0 || isError || /^text\/|[+/]xml\b|javascript|x-www-form-urlencoded/i.test(type)) {
    return body.toString();
  }
  return body;
}
