import { normalise } from '../google/errors.ts';
import type { Source } from './contents.ts';
import { expectedElf } from './elf.ts';
import { ImageFiles } from './files.ts';
import { commandOf, type Image } from './inspect.ts';
import { readLayer } from './layers.ts';
import { formatPlatform, type Platform } from './platforms.ts';
import { harmless, reason } from './reasons.ts';
import { type Command, type Trace, traceCommand } from './trace.ts';

/** What an image searches for its command when its config sets no PATH; runc and Docker agree on it. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Finds what starting the container would execute, and whether the platform can. Layers are read from the top down, and
 * no further than the answer needs.
 *
 * @param signal ends it
 * @throws SlipwayError `DeadlineExceeded` when the signal did, and what the registry throws
 */
export async function inspectBinaries(
  source: Source,
  image: Image,
  platform: Platform,
  signal: AbortSignal,
): Promise<Trace> {
  const expected = expectedElf(platform);
  if (!expected) return unchecked(platform);
  const command = commandIn(image, platform);
  const { layers } = image.document.manifest;
  const diffIds = image.config.rootfs?.diff_ids ?? [];
  const files = new ImageFiles();
  for (let index = layers.length - 1; index >= 0; index--) {
    const known = traceCommand(files, command, expected);
    if (known) return shown(known);
    const descriptor = layers[index];
    if (!descriptor) continue;
    if (signal.aborted) throw normalise(signal.reason, `read the layers of ${image.digest}`);
    const layer = await readLayer(source, {
      descriptor,
      diffId: diffIds[index] ?? '',
      rememberedBytes: files.bytes,
      signal,
    });
    if (!layer.ok) return { executables: [], reasons: [layer.reason] };
    files.addBelow(layer.value);
  }
  files.complete = true;
  return shown(traceCommand(files, command, expected) ?? { executables: [], reasons: [] });
}

/** Names inside an image are anybody's, and what was executed is kept and printed. */
function shown({ executables, reasons }: Trace): Trace {
  return {
    executables: executables.map(({ file, layer, is }) => ({
      file: harmless(file),
      layer,
      is: harmless(is),
    })),
    reasons,
  };
}

function commandIn(image: Image, platform: Platform): Command {
  const config = image.config.config;
  const path = config?.Env?.findLast(variable => variable.startsWith('PATH='))?.slice('PATH='.length);
  return {
    platform: formatPlatform(platform),
    argv: commandOf(image.config),
    cmd: config?.Entrypoint?.length ? (config.Cmd ?? []) : [],
    path: (path ?? DEFAULT_PATH).split(':'),
    workingDirectory: config?.WorkingDir || '/',
  };
}

function unchecked(platform: Platform): Trace {
  const name = formatPlatform(platform);
  return {
    executables: [],
    reasons: [
      reason(
        'EntrypointUnknownFormat',
        `It is not known what executables for ${name} look like, so they cannot be checked.`,
        'Set verify.binaries to false for this service.',
      ),
    ],
  };
}
