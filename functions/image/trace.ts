import { describeElf, type Elf, sameMachine } from './elf.ts';
import { type FileContent, type ImageFiles, MAX_REMEMBERED_BYTES, type Resolved } from './files.ts';
import {
  binaryMismatch,
  damaged,
  loaderMissing,
  loaderUnread,
  noCommand,
  notExecutable,
  notFound,
  tooManySteps,
  unknownFormat,
} from './trace-reasons.ts';
import type { Executable, Reason } from './verdict.ts';
import { type Starter, wrappedCommand } from './wrappers.ts';

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

/** Interpreters of interpreters, as the kernel allows, and what comes before and after them. */
const MAX_STEPS = 16;
/** Beyond, files that the kernel cannot execute are not remembered, so that none is known to be absent. */
const MAX_BYTES_WITH_PLAIN_FILES = MAX_REMEMBERED_BYTES / 2;

/** One thing to execute. What is only probable is no fault when it is not there, or is no program. */
interface Step {
  readonly argv: readonly string[];
  readonly certain: boolean;
  readonly starter: Starter;
  readonly path: readonly string[];
  readonly workingDirectory: string;
  /** The arguments of the script that led here: scripts usually end in `exec "$@"`. */
  readonly given?: readonly string[];
}

/**
 * Follows the command through links, `#!` lines, wrappers, shells, scripts and dynamic loaders.
 *
 * @returns undefined while layers that were not read yet decide
 */
export function traceCommand(files: ImageFiles, command: Command, expected: Elf): Trace | undefined {
  const { argv, path, workingDirectory, platform } = command;
  if (argv.length === 0) return { executables: [], reasons: [noCommand(platform)] };
  const executables = new Map<string, Executable>();
  const steps: Step[] = [{ argv, path, workingDirectory, certain: true, starter: 'kernel' }];
  for (let count = 0; count < MAX_STEPS; count++) {
    const step = steps.shift();
    if (!step) break;
    const found = search(files, step);
    if (found.status === 'unknown') return undefined;
    if (found.status !== 'found') {
      const reasons = notRunnable(files, step, found, platform);
      if (reasons.length > 0) return { executables: [...executables.values()], reasons };
      continue;
    }
    const checked = check(files, step, found, expected, platform);
    if (!checked) return undefined;
    for (const executable of checked.executables) executables.set(executable.file, executable);
    if (checked.reasons.length > 0) {
      return { executables: [...executables.values()], reasons: checked.reasons };
    }
    steps.push(...next(step, found, command.cmd));
  }
  const isEndless = steps.some(step => step.certain);
  return {
    executables: [...executables.values()],
    reasons: isEndless ? [tooManySteps(argv[0] ?? '', MAX_STEPS, platform)] : [],
  };
}

type FoundFile = {
  readonly status: 'found';
  readonly executable: Executable;
  readonly content: FileContent;
};

type Found =
  | FoundFile
  | { readonly status: 'notExecutable' | 'directory'; readonly layer: string }
  | { readonly status: 'absent' | 'loop' }
  | { readonly status: 'unknown' };

/** execvp: a name with a slash is a path, any other is looked up in PATH, where what cannot be executed is passed over. */
function search(files: ImageFiles, { argv, path, workingDirectory, starter }: Step): Found {
  const program = argv[0] ?? '';
  const isRead = starter === 'reader';
  if (program.includes('/')) return judge(files.resolve(absolute(program, workingDirectory)), isRead);
  let worst: Found = { status: 'absent' };
  // A shell looks for a script where it is first.
  for (const directory of isRead ? [workingDirectory, ...path] : path) {
    const found = judge(files.resolve(`${absolute(directory, workingDirectory)}/${program}`), isRead);
    if (found.status === 'found' || found.status === 'unknown') return found;
    if (found.status === 'notExecutable') worst = found;
  }
  return worst;
}

function judge(resolved: Resolved, isRead: boolean): Found {
  if (resolved.status !== 'found') return resolved;
  const { node, path, layer } = resolved;
  if (node.kind !== 'file') return { status: 'directory', layer };
  if (!node.executable && !isRead) return { status: 'notExecutable', layer };
  return {
    status: 'found',
    executable: { file: path, layer, is: describe(node.content, isRead) },
    content: node.content,
  };
}

function describe(content: FileContent, isRead: boolean): string {
  if (content.is === 'elf') return describeElf(content.elf);
  if (content.is === 'script') return `script for ${content.interpreter}`;
  return isRead ? 'read by the program before it' : 'neither ELF nor script';
}

/** What was found and, if it has one, its dynamic loader. Undefined while the loader is not known. */
function check(
  files: ImageFiles,
  step: Step,
  { content, executable }: FoundFile,
  expected: Elf,
  platform: string,
): Trace | undefined {
  const executables = [executable];
  if (content.is === 'other') {
    const isFault = step.certain && step.starter === 'kernel';
    return { executables, reasons: isFault ? [unknownFormat(executable, platform)] : [] };
  }
  if (content.is === 'script') return { executables, reasons: [] };
  const { interpreter } = content.elf;
  const fault = faultOf(content.elf, executable, expected, platform, step.starter === 'reader');
  if (fault) return { executables, reasons: [fault] };
  // Who reads the file by itself takes no notice of the loader that it asks for.
  if (interpreter === undefined || step.starter === 'reader') return { executables, reasons: [] };
  const loader = judge(files.resolve(absolute(interpreter, step.workingDirectory)), false);
  if (loader.status === 'unknown') return undefined;
  if (loader.status !== 'found') {
    return { executables, reasons: [loaderMissing(files, executable, interpreter, platform)] };
  }
  const loaderFault =
    loader.content.is === 'elf'
      ? faultOf(loader.content.elf, loader.executable, expected, platform, false)
      : binaryMismatch(loader.executable, expected, platform);
  return { executables: [executable, loader.executable], reasons: loaderFault ? [loaderFault] : [] };
}

function faultOf(
  elf: Elf,
  executable: Executable,
  expected: Elf,
  platform: string,
  isRead: boolean,
): Reason | undefined {
  if (!sameMachine(elf, expected)) return binaryMismatch(executable, expected, platform);
  if (isRead) return undefined;
  if (elf.damage) return damaged(executable, elf.damage, platform);
  return elf.interpreterUnread ? loaderUnread(executable, platform) : undefined;
}

function notRunnable(
  files: ImageFiles,
  step: Step,
  found: Exclude<Found, FoundFile>,
  platform: string,
): Reason[] {
  if (!step.certain) return [];
  const program = step.argv[0] ?? '';
  if (found.status === 'notExecutable' || found.status === 'directory') {
    const why = found.status === 'directory' ? 'is a directory' : 'has no execute permission';
    return [notExecutable(program, why, found.layer, platform)];
  }
  if (step.starter !== 'kernel' && files.bytes >= MAX_BYTES_WITH_PLAIN_FILES) return [];
  return [notFound(program, found.status === 'loop', step.path, platform)];
}

/** What comes after, the most probable first. */
function next(step: Step, { content, executable }: FoundFile, cmd: readonly string[]): Step[] {
  const rest = step.argv.slice(1);
  if (content.is !== 'elf' && step.starter === 'reader') return givenTo(step, rest, cmd);
  if (content.is === 'other') return [];
  if (content.is === 'script') {
    const argument = content.argument === undefined ? [] : [content.argument];
    const argv = [content.interpreter, ...argument, executable.file, ...rest];
    return [{ ...step, argv, given: step.given ?? rest }];
  }
  const wrapped = wrappedCommand(step.argv, executable.file);
  // The script that a `#!` line makes a shell read is the one that led here.
  if (!wrapped || (step.given && wrapped.starter === 'reader')) {
    return step.given ? givenTo(step, step.given, cmd) : [];
  }
  const { argv, starter, certain, workingDirectory } = wrapped;
  const path = wrapped.path?.flatMap(directory =>
    /^\$(PATH|\{PATH\})$/.test(directory) ? step.path : [directory],
  );
  return [
    {
      ...step,
      argv,
      starter,
      certain: step.certain && certain,
      path: path ?? step.path,
      workingDirectory:
        workingDirectory === undefined
          ? step.workingDirectory
          : absolute(workingDirectory, step.workingDirectory),
    },
  ];
}

/** What a script may start in the end: its arguments, or Cmd where those of Entrypoint come before it. */
function givenTo(step: Step, given: readonly string[], cmd: readonly string[]): Step[] {
  const isLonger = step.certain && cmd.length < given.length;
  const { path, workingDirectory } = step;
  return [given, ...(isLonger ? [cmd] : [])]
    .filter(([program = '-']) => !program.startsWith('-'))
    .map(argv => ({ argv, path, workingDirectory, certain: false, starter: 'program' as const }));
}

function absolute(path: string, workingDirectory: string): string {
  return path.startsWith('/') ? path : `/${workingDirectory}/${path}`;
}
