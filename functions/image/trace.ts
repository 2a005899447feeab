import { describeElf, type Elf, sameMachine } from './elf.ts';
import type { FileContent, ImageFiles, Resolved } from './files.ts';
import { reason, rebuild } from './reasons.ts';
import type { Executable, Reason } from './verdict.ts';
import { wrappedCommand } from './wrappers.ts';

export interface Command {
  /** `linux/arm64` */
  readonly platform: string;
  /** Entrypoint and Cmd */
  readonly argv: readonly string[];
  /** Cmd where it only is arguments to the Entrypoint; entrypoint scripts usually end in `exec "$@"`. */
  readonly cmd: readonly string[];
  /** Directories that a name without slash is searched in. */
  readonly path: readonly string[];
  readonly workingDirectory: string;
}

export interface Trace {
  readonly executables: readonly Executable[];
  readonly reasons: readonly Reason[];
}

/** Interpreters of interpreters, as the kernel allows, and a few wrappers. */
const MAX_STEPS = 8;

/** One thing to execute. What is only probable is no fault when it is not there. */
interface Step {
  readonly argv: readonly string[];
  readonly certain: boolean;
  /** Whether a script led here. */
  readonly scripted: boolean;
}

/**
 * Follows the command through links, `#!` lines, wrappers and dynamic loaders.
 *
 * @returns undefined while layers that were not read yet decide
 */
export function traceCommand(files: ImageFiles, command: Command, expected: Elf): Trace | undefined {
  if (command.argv.length === 0) return { executables: [], reasons: [noCommand(command)] };
  const executables: Executable[] = [];
  let step: Step | undefined = { argv: command.argv, certain: true, scripted: false };
  for (let count = 0; step && count < MAX_STEPS; count++) {
    const program: string = step.argv[0] ?? '';
    const found = search(files, program, command);
    if (found.status === 'unknown') return undefined;
    if (found.status !== 'executable') {
      return { executables, reasons: step.certain ? [notRunnable(program, found, command)] : [] };
    }
    executables.push(found.executable);
    const loaded = checkContent(files, found, expected, command);
    if (!loaded) return undefined;
    executables.push(...loaded.executables);
    if (loaded.reasons.length > 0) return { executables, reasons: loaded.reasons };
    step = next(step, found, command);
  }
  const isEndless = step?.certain === true;
  return { executables, reasons: isEndless ? [tooManySteps(command)] : [] };
}

type Found =
  | { readonly status: 'executable'; readonly executable: Executable; readonly content: FileContent }
  | { readonly status: 'notExecutable' | 'directory'; readonly layer: string }
  | { readonly status: 'absent' | 'loop' }
  | { readonly status: 'unknown' };

/** execvp: a name with a slash is a path, any other is looked up in PATH, where what cannot be executed is passed over. */
function search(files: ImageFiles, program: string, command: Command): Found {
  if (program.includes('/')) return judge(files.resolve(absolute(program, command.workingDirectory)));
  let worst: Found = { status: 'absent' };
  for (const directory of command.path) {
    const found = judge(files.resolve(`${absolute(directory, command.workingDirectory)}/${program}`));
    if (found.status === 'executable' || found.status === 'unknown') return found;
    if (found.status === 'notExecutable') worst = found;
  }
  return worst;
}

function judge(resolved: Resolved): Found {
  if (resolved.status !== 'found') return resolved;
  const { node, path, layer } = resolved;
  if (node.kind !== 'file') return { status: 'directory', layer };
  if (!node.executable) return { status: 'notExecutable', layer };
  return {
    status: 'executable',
    executable: { file: path, layer, is: describe(node.content) },
    content: node.content,
  };
}

function describe(content: FileContent): string {
  if (content.is === 'elf') return describeElf(content.elf);
  return content.is === 'script' ? `script for ${content.interpreter}` : 'neither ELF nor script';
}

/** The file itself and, if it has one, its dynamic loader. Undefined while the loader is not known. */
function checkContent(
  files: ImageFiles,
  found: Extract<Found, { status: 'executable' }>,
  expected: Elf,
  command: Command,
): Trace | undefined {
  const { content, executable } = found;
  if (content.is === 'other') return { executables: [], reasons: [unknownFormat(executable, command)] };
  if (content.is === 'script') return { executables: [], reasons: [] };
  if (!sameMachine(content.elf, expected)) {
    return { executables: [], reasons: [binaryMismatch(executable, expected, command)] };
  }
  const { interpreter, interpreterUnread } = content.elf;
  if (interpreterUnread) return { executables: [], reasons: [loaderUnread(executable, command)] };
  if (interpreter === undefined) return { executables: [], reasons: [] };
  const loader = judge(files.resolve(absolute(interpreter, command.workingDirectory)));
  if (loader.status === 'unknown') return undefined;
  if (loader.status !== 'executable') {
    return { executables: [], reasons: [loaderMissing(files, executable, interpreter, command)] };
  }
  const fits = loader.content.is === 'elf' && sameMachine(loader.content.elf, expected);
  return {
    executables: [loader.executable],
    reasons: fits ? [] : [binaryMismatch(loader.executable, expected, command)],
  };
}

function next(
  step: Step,
  found: Extract<Found, { status: 'executable' }>,
  command: Command,
): Step | undefined {
  const { content, executable } = found;
  if (content.is === 'script') {
    const argument = content.argument === undefined ? [] : [content.argument];
    const argv = [content.interpreter, ...argument, executable.file, ...step.argv.slice(1)];
    return { argv, certain: step.certain, scripted: true };
  }
  const wrapped = wrappedCommand(step.argv);
  if (wrapped) return { ...step, argv: wrapped.argv, certain: step.certain && wrapped.certain };
  const [program] = command.cmd;
  if (!step.scripted || !step.certain || program === undefined || program.startsWith('-')) return undefined;
  return { argv: command.cmd, certain: false, scripted: false };
}

function absolute(path: string, workingDirectory: string): string {
  return path.startsWith('/') ? path : `/${workingDirectory}/${path}`;
}

function binaryMismatch(executable: Executable, expected: Elf, { platform }: Command): Reason {
  return reason(
    'BinaryMismatch',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} and should be ${describeElf(expected)}: the container would end with "exec format error".`,
    `Leave --platform=$BUILDPLATFORM out of the FROM line of the last stage, and have the build stage compile for the target (ARG TARGETARCH; GOARCH=$TARGETARCH or the like); then docker buildx build --platform ${platform}`,
  );
}

function notRunnable(program: string, found: Found, command: Command): Reason {
  const { platform } = command;
  if (found.status === 'notExecutable' || found.status === 'directory') {
    const why = found.status === 'directory' ? 'is a directory' : 'has no execute permission';
    const layer = found.layer === '' ? '' : ` in layer ${found.layer}`;
    return reason(
      'EntrypointNotExecutable',
      `${program}, which ${platform} starts,${layer} ${why}: the container would end with "permission denied".`,
      `Make it executable: COPY --chmod=755 … ${program}`,
    );
  }
  if (program.endsWith('\r')) return windowsLineEnd(program.slice(0, -1), command);
  const where = program.includes('/') ? '' : ` in PATH (${command.path.join(':')})`;
  const why = found.status === 'loop' ? 'is a link that leads in circles' : `is not in the image${where}`;
  return reason(
    'EntrypointNotFound',
    `${program}, which ${platform} starts, ${why}: the container would end with "no such file or directory".`,
    'Correct ENTRYPOINT and CMD, or copy the file into the last stage of the Dockerfile.',
  );
}

function unknownFormat(executable: Executable, { platform }: Command): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is neither an ELF executable nor a script with a #! line: the container would end with "exec format error".`,
    'Begin a script with its interpreter, such as #!/bin/sh, on the first line.',
  );
}

function tooManySteps({ argv, platform }: Command): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${argv[0]}, which ${platform} starts, is a script for a script for a script, more than ${MAX_STEPS} deep: the container would end with "too many levels of symbolic links".`,
    'Name an executable in the #! line of the script, such as #!/bin/sh.',
  );
}

/** The two C libraries of images, by the directories and names that their loaders always have. */
const MUSL_LOADERS = ['x86_64', 'aarch64', 'armhf', 'arm', 'i386', 'powerpc64le', 's390x', 'riscv64'].map(
  name => `/lib/ld-musl-${name}.so.1`,
);

function loaderMissing(
  files: ImageFiles,
  executable: Executable,
  interpreter: string,
  { platform }: Command,
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

function loaderUnread(executable: Executable, { platform }: Command): Reason {
  return reason(
    'EntrypointUnknownFormat',
    `${executable.file} of ${platform}, in layer ${executable.layer}, is ${executable.is} and names its dynamic loader before the headers that say where: it cannot be checked.`,
    'Link it again with an ordinary linker, without tools that rewrite executables, or set verify.binaries to false for this service.',
  );
}

function windowsLineEnd(interpreter: string, { platform }: Command): Reason {
  return reason(
    'EntrypointNotFound',
    `A script that ${platform} starts has the line ends of Windows, so that Linux looks for "${interpreter}" and a carriage return: the container would end with "no such file or directory".`,
    'Save the script with Unix line ends (dos2unix; in .gitattributes: *.sh text eol=lf), or add to the Dockerfile: RUN sed -i "s/\\r$//" SCRIPT',
  );
}

function noCommand({ platform }: Command): Reason {
  return reason(
    'EntrypointMissing',
    `The image of ${platform} names no command to start.`,
    `Add ENTRYPOINT ["…"] or CMD ["…"] to the Dockerfile. ${rebuild(platform)}`,
  );
}
