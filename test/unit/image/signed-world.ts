import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Source } from '../../../functions/image/contents.ts';
import { type Index, indexSchema } from '../../../functions/image/documents.ts';
import { registryClient } from '../../../functions/image/registry.ts';
import { checkSupplyChain, type Subject } from '../../../functions/image/supply-chain.ts';
import type { Reason, VerifyRules } from '../../../functions/image/verify.ts';
import { VirtualClock } from '../../../local/clock.ts';
import { type HttpReply, type HttpRequest, type HttpServer, serve } from '../../../local/http.ts';
import { attestationFor, type Statement } from '../../../local/images/attestation.ts';
import {
  type BuiltManifest,
  type BuiltPart,
  CONFIG_TYPE,
  descriptor,
  INDEX_TYPE,
  MANIFEST_TYPE,
  part,
} from '../../../local/images/parts.ts';
import { pushImage, pushManifest } from '../../../local/images/push.ts';
import type { Attached } from '../../../local/images/signature.ts';
import { RegistryCore } from '../../../local/registry/core.ts';
import { registryHandler } from '../../../local/registry/http.ts';

const HOST = 'registry.example';
const REPOSITORY = 'acme/hello';
export const IMAGE = `${HOST}/${REPOSITORY}`;
export const PLATFORMS = ['linux/amd64', 'linux/arm64'];

type Answer = (request: HttpRequest) => HttpReply | undefined;

/** A registry to push signed images to, and the check that reads from it. */
export class SignedWorld {
  readonly source: Source;
  /** Paths that were asked for since the last push, without `/v2/acme/hello/`. */
  readonly requests: string[] = [];
  /** Answers in the registry's place where it answers at all. */
  instead: Answer = () => undefined;
  readonly #server: HttpServer;

  private constructor(server: HttpServer) {
    this.#server = server;
    const registry = registryClient({ mirrors: { [HOST]: server.url }, accessToken: async () => undefined });
    this.source = { registry, image: IMAGE };
  }

  static async open(): Promise<SignedWorld> {
    const registry = registryHandler(new RegistryCore({ host: HOST, clock: new VirtualClock() }));
    const server = await serve(request => {
      world.requests.push(request.path.replace(`/v2/${REPOSITORY}/`, ''));
      return world.instead(request) ?? registry(request);
    });
    const world = new SignedWorld(server);
    return world;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  async push(image: TestImage): Promise<void> {
    await pushImage(image, { ...this.#destination, tag: 'v1' });
    this.requests.length = 0;
  }

  async attach(...all: readonly Attached[]): Promise<void> {
    for (const { manifest, reference } of all) await pushManifest(manifest, reference, this.#destination);
    this.requests.length = 0;
  }

  check(image: TestImage, rules: Partial<VerifyRules>): Promise<readonly Reason[]> {
    return checkSupplyChain(
      this.source,
      image.subject,
      { platforms: PLATFORMS, binaries: false, ...rules },
      undefined,
    );
  }

  get #destination() {
    return { endpoint: this.#server.url, repository: REPOSITORY };
  }
}

export interface TestImage {
  readonly digest: string;
  readonly index: BuiltPart;
  readonly manifests: readonly BuiltManifest[];
  readonly platforms: readonly BuiltManifest[];
  readonly subject: Subject;
}

/** An image without layers for both platforms. @param attest writes what stands in the index about each, if anything */
export function testImage(
  attest: (platform: BuiltManifest) => Statement | undefined = () => undefined,
): TestImage {
  const platforms = PLATFORMS.map(platformManifest);
  const attestations = platforms.flatMap(platform => {
    const statement = attest(platform);
    return statement ? [attestationFor(platform, statement)] : [];
  });
  const index = part(INDEX_TYPE, {
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [
      ...platforms.map(built => ({ ...descriptor(built), platform: platformObject(built.platform) })),
      ...attestations.map(({ manifest, annotations }) => ({
        ...descriptor(manifest),
        annotations,
        platform: platformObject('unknown/unknown'),
      })),
    ],
  });
  return {
    digest: index.digest,
    index,
    manifests: [...platforms, ...attestations.map(({ manifest }) => manifest)],
    platforms,
    subject: subjectOf(index, platforms),
  };
}

export function subjectOf(index: BuiltPart, platforms: readonly BuiltManifest[]): Subject {
  const parsed: Index = indexSchema.parse(JSON.parse(index.bytes.toString()));
  return {
    digest: index.digest,
    index: parsed,
    platforms: platforms.map(({ platform, digest, config }) => ({
      platform,
      digest,
      sizeBytes: 0,
      configDigest: config.digest,
      entrypoint: [],
    })),
  };
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** PEM */
  readonly publicKey: string;
}

export function keyPair(type: 'ec' | 'rsa' | 'ed25519' = 'ec'): KeyPair {
  const { privateKey, publicKey } = generate(type);
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

function generate(type: 'ec' | 'rsa' | 'ed25519') {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (type === 'ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

export function codes(reasons: readonly Reason[]): string[] {
  return reasons.map(reason => reason.code);
}

function platformManifest(platform: string): BuiltManifest {
  const config = part(CONFIG_TYPE, { ...platformObject(platform), rootfs: { type: 'layers', diff_ids: [] } });
  const manifest = part(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(config),
    layers: [],
  });
  return { ...manifest, platform, config, layers: [] };
}

function platformObject(platform: string): { readonly os: string; readonly architecture: string } {
  const [os = '', architecture = ''] = platform.split('/');
  return { os, architecture };
}
