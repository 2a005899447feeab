import { digestOf } from '../../../functions/image/digest.ts';
import { type Registry, registryClient } from '../../../functions/image/registry.ts';
import { type HttpHandler, type HttpServer, serve } from '../../../local/http.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';

export const HOST = 'registry.example';
export const IMAGE = `${HOST}/acme/hello`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Serves whatever it was given, right or wrong: for what a registry that checks would never accept. */
export class OddRegistry {
  readonly #stored = new Map<string, { bytes: Buffer; mediaType: string }>();
  readonly requests: string[] = [];

  readonly handler: HttpHandler = request => {
    this.requests.push(request.path);
    const found = this.#stored.get(request.path.split('/').at(-1) ?? '');
    if (!found) return { status: 404, body: { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'unknown' }] } };
    return { status: 200, headers: { 'content-type': found.mediaType }, body: found.bytes };
  };

  /** @param digest served under this one, if not under its own */
  put(mediaType: string, content: object | Buffer | string, digest?: string): Descriptor {
    const bytes = Buffer.isBuffer(content)
      ? content
      : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
    const key = digest ?? digestOf(bytes);
    this.#stored.set(key, { bytes, mediaType });
    return { mediaType, digest: key, size: bytes.length };
  }

  forget(digest: string): void {
    this.#stored.delete(digest);
  }

  manifest(config: object, layers: readonly Descriptor[] = [], over: object = {}): Descriptor {
    const described = this.put(CONFIG_TYPE, config);
    return this.put(MANIFEST_TYPE, {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: described,
      layers,
      ...over,
    });
  }

  index(manifests: readonly object[], over: object = {}): Descriptor {
    return this.put(INDEX_TYPE, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests, ...over });
  }
}

/** A config without layers, for a platform such as `linux/arm64`. */
export function configFor(platform: string, over: object = {}): object {
  const [os, architecture, variant] = platform.split('/');
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    config: { Entrypoint: ['/hello'] },
    rootfs: { type: 'layers', diff_ids: [] },
    ...over,
  };
}

/** An index entry. */
export function listed(descriptor: Descriptor, platform: string): object {
  const [os, architecture, variant] = platform.split('/');
  return { ...descriptor, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

export async function reading(
  handler: HttpHandler,
  timeoutMs = 5_000,
): Promise<{ registry: Registry; server: HttpServer }> {
  const server = await serve(handler);
  const registry = registryClient({
    mirrors: { [HOST]: server.url },
    accessToken: async () => undefined,
    timeoutMs,
  });
  return { registry, server };
}
