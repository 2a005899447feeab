import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { digestOf } from '../../../functions/image/digest.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { verifyImage } from '../../../functions/image/verify.ts';
import type { HttpServer } from '../../../local/http.ts';
import { standInElf } from '../../../local/images/elf.ts';
import { CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE } from '../../../local/images/parts.ts';
import { dynamicElf } from './executables.ts';
import { directory, hardlink, layerOf, symlink, type TarEntry } from './layer-archives.ts';
import { configFor, IMAGE, listed, OddRegistry, reading } from './odd-registry.ts';

/** Whatever a registry serves under digests that hold: a verdict, or our own error. Nothing else, and soon. */

let odd: OddRegistry;
let registry: Registry;
let server: HttpServer;

beforeEach(async () => {
  odd = new OddRegistry();
  ({ registry, server } = await reading(odd.handler));
});
afterEach(() => server.close());

async function expectOutcome(digest: string): Promise<void> {
  const rules = { platforms: ['linux/amd64', 'linux/arm64'], binaries: true, twins: 'strict' } as const;
  const outcome = await verifyImage(registry, IMAGE, digest, rules).catch((error: unknown) => error);
  if (outcome instanceof Error) {
    expect(outcome).toBeInstanceOf(SlipwayError);
    return;
  }
  expect(outcome).toMatchObject({ digest, status: expect.stringMatching(/^(accepted|rejected)$/) });
}

/** JSON of any shape, with some of the names and values that mean something here. */
const anything = fc.letrec(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 2, -1, 1e308, '', 'linux', 'arm64', '__proto__', INDEX_TYPE, CONFIG_TYPE),
    fc.string({ maxLength: 12 }),
    fc.constant(digestOf(Buffer.from('absent'))),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom('os', 'architecture', 'digest', 'size', 'mediaType', 'platform', '__proto__', 'Env'),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value;

/** A document in which some fields are something else. */
function mangled(whole: Record<string, unknown>): fc.Arbitrary<object> {
  const fields = fc.constantFrom(...Object.keys(whole));
  return fc.dictionary(fields, anything, { maxKeys: 2 }).map(changes => ({ ...whole, ...changes }));
}

const runs = { numRuns: 80 };

describe('any', () => {
  it('bytes as the image end in an outcome', async () => {
    const types = fc.constantFrom(INDEX_TYPE, MANIFEST_TYPE, CONFIG_TYPE, 'text/plain', '');
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map(text => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(types, bytes, async (type, content) => {
        await expectOutcome(odd.put(type, Buffer.from(content)).digest);
      }),
      runs,
    );
  });

  it('index ends in an outcome', async () => {
    const image = odd.manifest(configFor('linux/amd64'));
    const entry = mangled({ ...image, platform: { os: 'linux', architecture: 'amd64' }, annotations: {} });
    const index = fc
      .array(fc.oneof(entry, anything), { maxLength: 4 })
      .chain(manifests => mangled({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
    await fc.assert(
      fc.asyncProperty(index, async content => expectOutcome(odd.put(INDEX_TYPE, content).digest)),
      runs,
    );
  });

  it('manifest and config end in an outcome', async () => {
    const layer = await layerOf([{ name: 'hello', content: standInElf('linux/amd64') }]);
    const described = odd.put(layer.mediaType, layer.bytes);
    const settings = mangled({
      Entrypoint: ['/hello'],
      Cmd: ['x'],
      Env: ['PATH=/bin'],
      WorkingDir: '/',
      User: '1',
      Labels: {},
      ExposedPorts: {},
    });
    const config = settings.chain(config =>
      mangled({ os: 'linux', architecture: 'amd64', config, rootfs: { diff_ids: [layer.diffId] } }),
    );
    const mangledLayer = mangled({ ...described });
    await fc.assert(
      fc.asyncProperty(config, mangledLayer, fc.boolean(), async (content, layerDescriptor, isWhole) => {
        const layers = [isWhole ? described : layerDescriptor];
        const body = {
          schemaVersion: 2,
          mediaType: MANIFEST_TYPE,
          config: odd.put(CONFIG_TYPE, content),
          layers,
        };
        const image = odd.put(MANIFEST_TYPE, body);
        await expectOutcome(odd.index([listed(image, 'linux/amd64')]).digest);
      }),
      runs,
    );
  });

  it('files and links in any layers end in an outcome', async () => {
    const part = fc.constantFrom('bin', 'app', 'sh', '..', '.', '', '.wh.bin', '.wh..wh..opq', 'lib');
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/') || 'x');
    const content = fc.oneof(
      fc.constantFrom(standInElf('linux/amd64'), standInElf('linux/arm64'), dynamicElf(62, '/lib/ld.so')),
      fc
        .constantFrom('#!/bin/sh\n', '#!/bin/env sh', '#! app x y\r\n', '#!', '')
        .map(text => Buffer.from(text)),
      fc.uint8Array({ maxLength: 100 }).map(bytes => Buffer.from(bytes)),
    );
    const entry: fc.Arbitrary<TarEntry> = fc.oneof(
      fc.tuple(name, content).map(([name, content]) => ({ name, content })),
      fc.tuple(name, name).map(([name, target]) => symlink(name, target)),
      fc.tuple(name, name).map(([name, target]) => symlink(name, `/${target}`)),
      fc.tuple(name, name).map(([name, target]) => hardlink(name, target)),
      name.map(directory),
    );
    const layers = fc.array(fc.array(entry, { maxLength: 6 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(layers, async contents => {
        const built = await Promise.all(contents.map(entries => layerOf(entries, 'none')));
        const config = configFor('linux/amd64', {
          config: { Entrypoint: ['app'], Env: ['PATH=/bin:/lib:/'] },
          rootfs: { diff_ids: built.map(({ diffId }) => diffId) },
        });
        const described = built.map(({ mediaType, bytes }) => odd.put(mediaType, bytes));
        await expectOutcome(odd.index([listed(odd.manifest(config, described), 'linux/amd64')]).digest);
      }),
      runs,
    );
  });
});
