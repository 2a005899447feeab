import https from 'node:https';
import { generate } from 'selfsigned';
import { answer, type HttpHandler, type HttpServer, listen } from '../http.ts';

export interface KubernetesServer extends HttpServer {
  /** As GKE's `cluster.endpoint`: `127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** PEM; the certificate signs itself, so it is its own authority. */
  readonly caCertificate: string;
}

/** Serves a cluster's API over TLS, as the real one is, with a certificate of its own. */
export async function serveKubernetes(handler: HttpHandler, port = 0): Promise<KubernetesServer> {
  const pems = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 7, ip: '127.0.0.1' },
          { type: 2, value: 'localhost' },
        ],
      },
    ],
  });
  const server = https.createServer({ key: pems.private, cert: pems.cert }, (incoming, outgoing) => {
    answer(handler, incoming, outgoing).catch(error => {
      if (!outgoing.headersSent) outgoing.writeHead(500, { 'content-type': 'text/plain' });
      outgoing.end(String(error));
    });
  });
  server.requestTimeout = 0;
  const listening = await listen(server, port, 'https');
  return { ...listening, endpoint: `127.0.0.1:${listening.port}`, caCertificate: pems.cert };
}

/** A kubeconfig with which kubectl, and anything else, reaches the local cluster. */
export function kubeconfigOf(server: KubernetesServer, name: string): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: server.url,
          'certificate-authority-data': Buffer.from(server.caCertificate).toString('base64'),
        },
      },
    ],
    users: [{ name, user: { token: 'local' } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
