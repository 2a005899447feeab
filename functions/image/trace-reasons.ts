import { describeElf, type Elf } from './elf.ts';
import type { ImageFiles } from './files.ts';
import { reason, rebuild } from './reasons.ts';
import type { Executable, Reason } from './verdict.ts';

/** What may be wrong with what a container executes, with what to do about each. */

export function binaryMismatch(executable: Executable, expected: Elf, platform: string): Reason {
  return reason(
    'BinaryMismatch',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} and should be ${describeElf(expected)}: the container would end with "exec format error".`,
    `Leave --platform=$BUILDPLATFORM out of the FROM line of the last stage, and have the build stage compile for the target (ARG TARGETARCH; GOARCH=$TARGETARCH or the like); then docker buildx build --platform ${platform}`,
  );
}

export function notExecutable(program: string, why: string, layer: string, platform: string): Reason {
  const where = layer === '' ? '' : ` in layer ${layer}`;
  return reason(
    'EntrypointNotExecutable',
    `${program}, which ${platform} starts,${where} ${why}: the container would end with "permission denied".`,
    `Make it executable: COPY --chmod=755 … ${program}`,
  );
}

/** @param path the directories that were searched for a name without slash */
export function notFound(
  program: string,
  isLoop: boolean,
  path: readonly string[],
  platform: string,
): Reason {
  if (program.endsWith('\r')) return windowsLineEnd(program.slice(0, -1), platform);
  const where = program.includes('/') ? '' : ` in PATH (${path.join(':')})`;
  const why = isLoop ? 'is a link that leads in circles' : `is not in the image${where}`;
  return reason(
    'EntrypointNotFound',
    `${program}, which ${platform} starts, ${why}: the container would end with "no such file or directory".`,
    'Correct ENTRYPOINT and CMD, or copy the file into the last stage of the Dockerfile.',
  );
}

export function unknownFormat(executable: Executable, platform: string): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is neither an ELF executable nor a script with a #! line: the container would end with "exec format error".`,
    'Begin a script with its interpreter, such as #!/bin/sh, on the first line.',
  );
}

export function tooManySteps(program: string, most: number, platform: string): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${program}, which ${platform} starts, is a script for a script for a script, more than ${most} deep: the container would end with "too many levels of symbolic links".`,
    'Name an executable in the #! line of the script, such as #!/bin/sh.',
  );
}

/** The two C libraries of images, by the directories and names that their loaders always have. */
const MUSL_LOADERS = ['x86_64', 'aarch64', 'armhf', 'arm', 'i386', 'powerpc64le', 's390x', 'riscv64'].map(
  name => `/lib/ld-musl-${name}.so.1`,
);

export function loaderMissing(
  files: ImageFiles,
  executable: Executable,
  interpreter: string,
  platform: string,
): Reason {
  const musl = MUSL_LOADERS.find(loader => files.resolve(loader).status === 'found');
  const builtFor = interpreter.includes('/ld-musl-') ? 'musl (Alpine)' : 'glibc';
  const instead = musl && builtFor === 'glibc' ? ` (it has ${musl}, the one of musl)` : '';
  return reason(
    'LoaderMissing',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} for ${builtFor} and asks for the dynamic loader ${interpreter}, which is not in the image${instead}: the container would end with "no such file or directory".`,
    'Build and run on the same C library (glibc: FROM debian or ubuntu in both stages; musl: FROM alpine in both), or link statically (CGO_ENABLED=0; -static).',
  );
}

export function loaderUnread(executable: Executable, platform: string): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} and names its dynamic loader before the headers that say where: it cannot be checked.`,
    'Link it again with an ordinary linker, without tools that rewrite executables, or set verify.binaries to false for this service.',
  );
}

export function damaged(executable: Executable, damage: string, platform: string): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} and ${damage}: Linux does not execute it.`,
    'Build the file again and compare its size with what is in the image: it was cut off or damaged on the way there, or by a tool that rewrites executables.',
  );
}

function windowsLineEnd(interpreter: string, platform: string): Reason {
  return reason(
    'EntrypointNotFound',
    `A script that ${platform} starts has the line ends of Windows, so that Linux looks for "${interpreter}" and a carriage return: the container would end with "no such file or directory".`,
    'Save the script with Unix line ends (dos2unix; in .gitattributes: *.sh text eol=lf), or add to the Dockerfile: RUN sed -i "s/\\r$//" SCRIPT',
  );
}

export function noCommand(platform: string): Reason {
  return reason(
    'EntrypointMissing',
    `The image of ${platform} names no command to start.`,
    `Add ENTRYPOINT ["…"] or CMD ["…"] to the Dockerfile. ${rebuild(platform)}`,
  );
}
