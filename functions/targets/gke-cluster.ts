import type { protos, v1 } from '@google-cloud/container';
import {
  ApiException,
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  RequestContext,
} from '@kubernetes/client-node';
import { SlipwayError } from '../errors.ts';
import { calling } from '../google/errors.ts';

export interface ClusterAccess {
  readonly clusters: () => Promise<v1.ClusterManagerClient>;
  /** OAuth access token; undefined where the cluster asks for none. */
  readonly accessToken: () => Promise<string | undefined>;
}

/** The Kubernetes API of one cluster, as raw JSON: what a typed client does not know must survive being copied. */
export interface KubernetesApi {
  get(path: string): Promise<unknown>;
  patch(path: string, type: PatchType, body: object): Promise<unknown>;
  /** Any status is an answer here. */
  ask(path: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `apply` is server-side apply, by force: what a rollout writes is its own. */
export type PatchType = 'merge' | 'strategic' | 'apply';

/** Owner of every field that Slipway writes. */
export const FIELD_MANAGER = 'slipway';

const CONTENT_TYPES: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** An activity has 30 s in all, and makes a few calls one after the other. */
const CALL_TIMEOUT_MS = 10_000;

type Cluster = protos.google.container.v1.ICluster;

/**
 * Connects to a cluster by its name, `projects/P/locations/L/clusters/C`. The cluster is looked up once, on the first
 * call; the token is asked for with every call, since it expires.
 */
export function kubernetesApi(name: string, access: ClusterAccess): KubernetesApi {
  let connection: Promise<Connection> | undefined;
  async function send(method: HttpMethod, path: string, prepare?: (request: RequestContext) => void) {
    connection ??= connect(name, access);
    connection.catch(() => {
      connection = undefined;
    });
    const token = await access.accessToken();
    return (await connection).send(method, path, token, prepare);
  }
  return {
    async get(path) {
      return parsed(`kubernetes.get ${path}`, await send(HttpMethod.GET, path));
    },
    async patch(path, type, body) {
      const query = `fieldManager=${FIELD_MANAGER}${type === 'apply' ? '&force=true' : ''}`;
      const answer = await send(HttpMethod.PATCH, `${path}?${query}`, request => {
        request.setHeaderParam('content-type', CONTENT_TYPES[type]);
        request.setBody(JSON.stringify(body));
      });
      return parsed(`kubernetes.patch ${path}`, answer);
    },
    ask: path => send(HttpMethod.GET, path),
  };
}

export function readCluster(name: string, access: ClusterAccess): Promise<Cluster> {
  return calling(`container.clusters.get ${name}`, async () => {
    const client = await access.clusters();
    const [cluster] = await client.getCluster({ name });
    return cluster;
  });
}

type Connection = {
  send(
    method: HttpMethod,
    path: string,
    token: string | undefined,
    prepare?: (request: RequestContext) => void,
  ): Promise<Answer>;
};

async function connect(name: string, access: ClusterAccess): Promise<Connection> {
  const endpoint = endpointOf(name, await readCluster(name, access));
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name, ...endpoint }],
    users: [{ name }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  });
  const http = new IsomorphicFetchHttpLibrary();
  let dispatcher: ReturnType<RequestContext['getDispatcher']>;
  return {
    async send(method, path, token, prepare) {
      const request = new RequestContext(`${endpoint.server}${path}`, method);
      request.setHeaderParam('accept', 'application/json, */*');
      prepare?.(request);
      if (token) request.setHeaderParam('authorization', `Bearer ${token}`);
      request.setSignal(AbortSignal.timeout(CALL_TIMEOUT_MS));
      // KubeConfig makes a new connection pool for every request; the first one will do for all.
      if (!dispatcher) {
        await config.applySecurityAuthentication(request);
        dispatcher = request.getDispatcher();
      } else request.setDispatcher(dispatcher);
      return answered(`kubernetes.${method.toLowerCase()} ${path}`, async () => {
        const response = await http.send(request).toPromise();
        const body = await response.body.text();
        return { status: response.httpStatusCode, body, headers: response.headers };
      });
    },
  };
}

/**
 * The DNS endpoint where the cluster lets outsiders use it: its certificate is publicly trusted. Otherwise the IP
 * endpoint, whose certificate the cluster's own authority signed.
 */
export function endpointOf(
  name: string,
  cluster: Cluster,
): { server: string; caData?: string; skipTLSVerify: false } {
  const dns = cluster.controlPlaneEndpointsConfig?.dnsEndpointConfig;
  if (dns?.endpoint && dns.allowExternalTraffic) {
    return { server: `https://${dns.endpoint}`, skipTLSVerify: false };
  }
  const caData = cluster.masterAuth?.clusterCaCertificate;
  if (cluster.endpoint && caData) {
    return { server: `https://${cluster.endpoint}`, caData, skipTLSVerify: false };
  }
  throw new SlipwayError(
    `${name} has neither a DNS endpoint that allows external traffic nor an IP endpoint: turn one of them on`,
    { code: 'InvalidArgument', operation: `kubernetes.connect ${name}` },
  );
}

/** A DOMException of a timeout carries a number in `code` that is no status of anything. */
function answered(operation: string, call: () => Promise<Answer>): Promise<Answer> {
  return calling(operation, async () => {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'TimeoutError') throw error;
      throw new SlipwayError(`${operation}: no answer in ${CALL_TIMEOUT_MS / 1000} s`, {
        code: 'DeadlineExceeded',
        operation,
        cause: error,
      });
    }
  });
}

function parsed(operation: string, answer: Answer): Promise<unknown> {
  return calling(operation, async () => {
    if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.body);
    throw new ApiException(answer.status, `HTTP ${answer.status}`, answer.body, { ...answer.headers });
  });
}
