import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { generate } from 'selfsigned';

/** Refuses every call over gRPC, and answers every request over REST, as Google's endpoints do both on one port. */
export interface GrpcServer {
  readonly url: string;
  /** PEM of the authority that signed its certificate: its own. */
  readonly caCertificate: string;
  /** `/google.cloud.run.v2.Services/GetService`, in the order of their coming. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

const PERMISSION_DENIED = '7';

/** @param answer the body of what is answered over REST */
export async function startGrpcServer(answer: object): Promise<GrpcServer> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  const calls: string[] = [];
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    if (request.httpVersionMajor === 1) {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer));
      return;
    }
    calls.push(request.url);
    response.setHeader('content-type', 'application/grpc');
    response.setHeader('grpc-status', PERMISSION_DENIED);
    response.setHeader('grpc-message', 'refused by the test');
    response.end();
  });
  const url = `https://127.0.0.1:${await listen(server)}`;
  return { url, caCertificate: cert, calls, close: () => close(server) };
}

async function listen(server: Http2SecureServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

async function close(server: Http2SecureServer): Promise<void> {
  server.close();
  await once(server, 'close');
}
