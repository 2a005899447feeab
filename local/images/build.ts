import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { attestationFor } from './attestation.ts';
import { MACHINES, type SamplePlatform, standInElf } from './elf.ts';
import { type BuiltLayer, buildLayer, type LayerFile } from './layer.ts';
import {
  type BuiltManifest,
  type BuiltPart,
  CONFIG_TYPE,
  descriptor,
  INDEX_TYPE,
  MANIFEST_TYPE,
  part,
} from './parts.ts';

export type { SamplePlatform } from './elf.ts';
export type { BuiltManifest, BuiltPart } from './parts.ts';

export interface BuildOptions {
  /** Folder whose files become `/app`; `server.ts` is started. */
  readonly appDir: string;
  readonly version: string;
  readonly platforms: readonly SamplePlatform[];
  /** Added to the image's environment, over VERSION and TARGETARCH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the index gets a provenance entry per platform, as buildx makes it. */
  readonly attestation?: boolean;
  /** For tests of the checks: parts that are built for another platform than they are listed for. */
  readonly lieAbout?: {
    readonly binaries?: Partial<Record<SamplePlatform, SamplePlatform>>;
    readonly configs?: Partial<Record<SamplePlatform, SamplePlatform>>;
  };
}

export interface BuiltImage {
  /** Of the index. */
  readonly digest: string;
  readonly index: BuiltPart;
  readonly manifests: readonly BuiltManifest[];
}

const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Builds the sample service into an OCI image index. Same sources and options, same bytes. */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const files = await readAppFiles(options.appDir);
  const revision = revisionOf(files);
  const app = await buildLayer(files);
  const images: BuiltManifest[] = [];
  for (const platform of options.platforms) {
    images.push(await buildPlatform(options, platform, app, revision));
  }
  const attestations = options.attestation ? images.map(image => attestationFor(image)) : [];
  const manifests = [...images, ...attestations.map(({ manifest }) => manifest)];
  const index = part(INDEX_TYPE, {
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [
      ...images.map(image => ({ ...descriptor(image), platform: platformObject(image.platform) })),
      ...attestations.map(({ manifest, annotations }) => ({
        ...descriptor(manifest),
        annotations,
        platform: { architecture: 'unknown', os: 'unknown' },
      })),
    ],
  });
  return { digest: index.digest, index, manifests };
}

export function isSamplePlatform(text: string): text is SamplePlatform {
  return Object.hasOwn(MACHINES, text);
}

async function buildPlatform(
  options: BuildOptions,
  platform: SamplePlatform,
  app: BuiltLayer,
  revision: string,
): Promise<BuiltManifest> {
  const machine = options.lieAbout?.binaries?.[platform] ?? platform;
  const base = await buildLayer([{ path: 'usr/local/bin/node', bytes: standInElf(machine), mode: 0o755 }]);
  const config = part(CONFIG_TYPE, imageConfig(options, platform, [base, app], revision));
  const layers = [base, app].map(({ digest, bytes }) => ({ mediaType: LAYER_TYPE, digest, bytes }));
  const manifest = part(MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  return { ...manifest, platform, config, layers };
}

function imageConfig(
  options: BuildOptions,
  platform: SamplePlatform,
  layers: readonly BuiltLayer[],
  revision: string,
): object {
  const { os, architecture } = platformObject(options.lieAbout?.configs?.[platform] ?? platform);
  const env = {
    PATH: SEARCH_PATH,
    VERSION: options.version,
    TARGETARCH: platformObject(platform).architecture,
    ...options.env,
  };
  return {
    created: new Date(0).toISOString(),
    architecture,
    os,
    config: {
      User: '1000',
      ExposedPorts: { '8080/tcp': {} },
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      Entrypoint: ['/usr/local/bin/node'],
      Cmd: ['/app/server.ts'],
      WorkingDir: '/app',
      Labels: {
        'org.opencontainers.image.version': options.version,
        'org.opencontainers.image.revision': revision,
        'org.opencontainers.image.source': 'https://github.com/acme/hello',
      },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
    history: layers.map(() => ({ created: new Date(0).toISOString(), created_by: 'slipway local/images' })),
  };
}

function platformObject(platform: string): { architecture: string; os: string } {
  const [os = '', architecture = ''] = platform.split('/');
  return { architecture, os };
}

async function readAppFiles(appDir: string): Promise<LayerFile[]> {
  const entries = await readdir(appDir, { recursive: true, withFileTypes: true });
  const names = entries
    .filter(entry => entry.isFile())
    .map(entry => path.relative(appDir, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter(belongsInImage)
    .sort();
  if (!names.includes('server.ts')) {
    throw new Error(`${path.resolve(appDir)} has no server.ts, the file that the image starts.`);
  }
  return Promise.all(
    names.map(async name => ({
      path: `app/${name}`,
      bytes: await readFile(path.join(appDir, name)),
      mode: 0o644,
    })),
  );
}

function belongsInImage(name: string): boolean {
  const parts = name.split('/');
  const isLeftOut = (part: string) =>
    ['node_modules', 'pipelines', 'test'].includes(part) || part.startsWith('.');
  if (parts.some(isLeftOut)) return false;
  return !/(?:^|\/)(?:Dockerfile[^/]*|[^/]*\.Dockerfile|README\.md)$|\.test\.ts$/i.test(name);
}

/** Stands where the commit of a real build would: names the sources. */
function revisionOf(files: readonly LayerFile[]): string {
  const hash = createHash('sha1');
  for (const file of files) hash.update(`${file.path}\0${file.bytes.length}\0`).update(file.bytes);
  return hash.digest('hex');
}
