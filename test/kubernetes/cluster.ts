import { HttpMethod, IsomorphicFetchHttpLibrary, KubeConfig, RequestContext } from '@kubernetes/client-node';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The API of one cluster, with the credentials of a kubeconfig. */
export interface Cluster {
  readonly name: string;
  /** Any status is an answer. `path` may have a query. */
  send(method: string, path: string, body?: string, contentType?: string): Promise<Answer>;
  /** What is there, as JSON; undefined for 404. */
  read(path: string): Promise<unknown>;
  create(path: string, object: object): Promise<void>;
  /** Merge patch. */
  patch(path: string, change: object): Promise<void>;
  /** With everything that belongs to it; what is gone already will do. */
  remove(path: string): Promise<void>;
}

const TIMEOUT_MS = 30_000;

/** @param context of the kubeconfig; its current one without it */
export function connect(kubeconfigFile: string, context: string | undefined): Cluster {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigFile);
  if (context) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster)
    throw new Error(`${kubeconfigFile}: context "${config.getCurrentContext()}" names no cluster`);
  const http = new IsomorphicFetchHttpLibrary();
  let dispatcher: ReturnType<RequestContext['getDispatcher']>;

  async function send(method: string, path: string, body?: string, contentType = 'application/json') {
    const request = new RequestContext(`${cluster?.server}${path}`, methodOf(method));
    request.setHeaderParam('accept', 'application/json, */*');
    if (body !== undefined) {
      request.setHeaderParam('content-type', contentType);
      request.setBody(body);
    }
    request.setSignal(AbortSignal.timeout(TIMEOUT_MS));
    await config.applySecurityAuthentication(request);
    // Every call makes a new connection pool; the first one will do for all.
    dispatcher ??= request.getDispatcher();
    if (dispatcher) request.setDispatcher(dispatcher);
    const response = await http.send(request).toPromise();
    const type = response.headers['content-type'] ?? 'application/json';
    return { status: response.httpStatusCode, contentType: type, body: await response.body.text() };
  }

  async function must(method: string, path: string, object: object, contentType?: string): Promise<void> {
    const answer = await send(method, path, JSON.stringify(object), contentType);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
  }

  return {
    name: cluster.server,
    send,
    async read(path) {
      const answer = await send('GET', path);
      if (answer.status === 404) return undefined;
      if (answer.status >= 300) throw new Error(`GET ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
      return JSON.parse(answer.body);
    },
    create: (path, object) => must('POST', path, object),
    patch: (path, change) => must('PATCH', path, change, 'application/merge-patch+json'),
    async remove(path) {
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' };
      const answer = await send('DELETE', path, JSON.stringify(body));
      if (answer.status < 300 || answer.status === 404) return;
      throw new Error(`DELETE ${path}: ${answer.status} ${answer.body.slice(0, 500)}`);
    },
  };
}

function methodOf(method: string): HttpMethod {
  const known = Object.values(HttpMethod).find(one => one === method);
  if (known === undefined) throw new Error(`no such method: ${method}`);
  return known;
}
