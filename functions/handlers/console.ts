import type { Request, Response } from '@google-cloud/functions-framework';
import { SECURITY_HEADERS } from '../console/headers.ts';
import { type Answer, type Asked, json, type Outlet, Refusal, type Stream } from '../console/http.ts';
import { type Console, openConsole } from '../console/routes.ts';
import type { Dependencies } from '../dependencies.ts';
import { type ErrorCode, SlipwayError } from '../errors.ts';
import { problemFields } from '../telemetry/log.ts';

const consoles = new WeakMap<Dependencies, Console>();

/** The page that people watch rollouts on, and what it asks for: console/contract.ts. */
export async function console(deps: Dependencies, request: Request, response: Response): Promise<void> {
  const answering = consoles.get(deps) ?? openConsole(deps);
  consoles.set(deps, answering);
  response.set(SECURITY_HEADERS);
  const asked = askedBy(request);
  send(await answering(asked).catch(error => problem(deps, asked, error)), asked, response);
}

function askedBy(request: Request): Asked {
  const [path = '', ...query] = request.originalUrl.split('?');
  return {
    method: request.method,
    path,
    query: new URLSearchParams(query.join('?')),
    header: name => request.header(name),
    body: request.body,
    // Not `request.ip`: that believes the header x-forwarded-for.
    peer: request.socket.remoteAddress,
  };
}

/** What went wrong inside is for the log, what the caller can mend is for the caller. */
function problem(deps: Dependencies, asked: Asked, error: unknown): Answer {
  const cause = error instanceof Refusal ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const isMissing = cause instanceof SlipwayError && cause.code === 'NotFound';
  if (cause !== undefined && !isMissing) {
    const told = `the console could not answer ${asked.method} ${asked.path}: ${message}`;
    deps.log('ERROR', told, problemFields(cause));
  }
  if (error instanceof Refusal) return said(asked, error.status, error.message, error.headers);
  if (!(error instanceof SlipwayError)) return said(asked, 500, 'the console failed; its log says why');
  return said(asked, STATUS[error.code] ?? 502, message);
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  NotFound: 404,
  ResourceExhausted: 503,
  Unavailable: 503,
  DeadlineExceeded: 504,
  Internal: 500,
};

function said(
  asked: Asked,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  if (asked.path.startsWith('/api/')) return json(status, { message }, headers);
  const plain = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
  return { status, headers: { ...plain, ...headers }, body: `${message}\n` };
}

function send(answer: Answer | Stream, asked: Asked, response: Response): void {
  if ('stream' in answer) {
    response
      .status(200)
      .set({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
    response.flushHeaders();
    answer.stream(outletOf(response));
    return;
  }
  response.status(answer.status).set(answer.headers ?? {});
  if (answer.status === 304) response.end();
  else {
    response.set('content-length', String(Buffer.byteLength(answer.body)));
    response.end(asked.method === 'HEAD' ? undefined : answer.body);
  }
}

function outletOf(response: Response): Outlet {
  return {
    write: text => void response.write(text),
    pending: () => response.writableLength,
    end: () => void response.end(),
    destroy: () => void response.destroy(),
    onClose(listener) {
      if (response.closed || response.destroyed) listener();
      else response.once('close', listener);
    },
  };
}
