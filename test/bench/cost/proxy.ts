import { z } from 'zod';
import { type HttpReply, type HttpRequest, type HttpServer, serve } from '../../../local/http.ts';

const published = z.object({
  messages: z.array(
    z.object({ data: z.string().default(''), attributes: z.record(z.string(), z.string()).default({}) }),
  ),
});
const listed = z.object({ timeSeries: z.array(z.unknown()).default([]) });

/** Stands before an API and counts what its messages carry. */
export class ApiProxy {
  readonly #server: HttpServer;
  #target = '';
  /** Of published messages: their data and attributes. */
  bytes = 0;
  messages = 0;
  /** Time series in answers, and the answers. */
  series = 0;
  lists = 0;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  static async open(): Promise<ApiProxy> {
    const server = await serve(request => proxy.#pass(request));
    const proxy = new ApiProxy(server);
    return proxy;
  }

  get url(): string {
    return this.#server.url;
  }

  leadTo(url: string): void {
    this.#target = url;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  async #pass({ method, path, query, headers, body }: HttpRequest): Promise<HttpReply> {
    const { host: _host, connection: _connection, 'content-length': _length, ...passed } = headers;
    const response = await fetch(`${this.#target}${path}${query.size > 0 ? `?${query}` : ''}`, {
      method,
      headers: passed,
      ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
    });
    const text = await response.text();
    this.#count(path, body.toString(), text);
    const type = response.headers.get('content-type') ?? 'application/json';
    return { status: response.status, headers: { 'content-type': type }, body: text };
  }

  #count(path: string, sent: string, got: string): void {
    if (path.endsWith(':publish')) {
      for (const { data, attributes } of published.parse(JSON.parse(sent)).messages) {
        this.messages++;
        this.bytes += Buffer.byteLength(data, 'base64') + Object.entries(attributes).flat().join('').length;
      }
    }
    if (path.endsWith('/timeSeries')) {
      this.lists++;
      this.series += listed.parse(JSON.parse(got)).timeSeries.length;
    }
  }
}
