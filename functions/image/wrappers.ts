import { readOptions } from './command-options.ts';
import { plainWords, readShellCall } from './shell-command.ts';

/** Programs that only start another one: their options that take a value, and how many operands come before it. */
const WRAPPERS: Readonly<Record<string, { readonly withValue: readonly string[]; readonly skip: number }>> = {
  tini: { withValue: ['-p', '-e'], skip: 0 },
  'tini-static': { withValue: ['-p', '-e'], skip: 0 },
  'docker-init': { withValue: ['-p', '-e'], skip: 0 },
  'dumb-init': { withValue: ['-r', '--rewrite'], skip: 0 },
  catatonit: { withValue: [], skip: 0 },
  gosu: { withValue: [], skip: 1 },
  'su-exec': { withValue: [], skip: 1 },
  's6-setuidgid': { withValue: [], skip: 1 },
  nice: { withValue: ['-n', '--adjustment'], skip: 0 },
  nohup: { withValue: [], skip: 0 },
  setsid: { withValue: [], skip: 0 },
  stdbuf: { withValue: ['-i', '-o', '-e', '--input', '--output', '--error'], skip: 0 },
  timeout: { withValue: ['-k', '-s', '--kill-after', '--signal'], skip: 1 },
};

const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'ash', 'dash']);
/** One file that is many programs; the first argument tells which. */
const BOXES: ReadonlySet<string> = new Set(['busybox', 'toybox']);
/** `ld-linux-aarch64.so.1`, `ld-musl-x86_64.so.1`, `ld64.so.2` */
const LOADER = /^ld[\w.-]*\.so(\.\d+)*$/;
const LOADER_VALUES = ['--library-path', '--preload', '--audit', '--argv0', '--inhibit-rpath'];
const SPLIT = ['-S', '--split-string'];
const ENV_VALUES = ['-u', '--unset', '-C', '--chdir', '-a', '--argv0', ...SPLIT];
/** Where the C libraries search when there is no PATH at all. */
const PATH_OF_LIBC = ['/usr/local/bin', '/bin', '/usr/bin'];
/** Of `env -S` within `env -S`, which nobody writes. */
const MAX_SPLITS = 4;

/**
 * What starts a program: `kernel`, which takes nothing but ELF and `#!`; another `program`, many of which have `sh` run
 * what the kernel refuses; a `reader` that opens the file by itself, so that it needs no execute permission.
 */
export type Starter = 'kernel' | 'program' | 'reader';

export interface Wrapped {
  readonly argv: readonly string[];
  /** False where only a shell could tell what it will run. */
  readonly certain: boolean;
  readonly starter: Starter;
  /** Directories to search, where the wrapper changes them; `$PATH` stands for those from before. */
  readonly path?: readonly string[];
  readonly workingDirectory?: string;
}

/**
 * The command behind a wrapper or in `sh -c`; undefined when argv is no wrapper or its command cannot be seen.
 *
 * @param file what argv[0] is, links followed: a link may have any name
 */
export function wrappedCommand(argv: readonly string[], file: string): Wrapped | undefined {
  const [program = '', ...words] = argv;
  const called = baseName(program);
  if (!BOXES.has(called) && !BOXES.has(baseName(file))) {
    return startedBy(isWrapper(called) ? called : baseName(file), words);
  }
  const wrapped = BOXES.has(called) ? startedBy(words[0] ?? '', words.slice(1)) : startedBy(called, words);
  // It may start another of its own programs without looking for a file.
  return wrapped?.argv[0]?.includes('/') ? wrapped : wrapped && { ...wrapped, certain: false };
}

function startedBy(name: string, words: readonly string[]): Wrapped | undefined {
  if (SHELLS.has(name)) return inShell(words);
  if (name === 'env') return inEnv(words, {}, 0);
  if (LOADER.test(name)) return inLoader(words);
  const wrapper = Object.hasOwn(WRAPPERS, name) ? WRAPPERS[name] : undefined;
  if (!wrapper) return undefined;
  return started(readOptions(words, wrapper.withValue).operands.slice(wrapper.skip));
}

function isWrapper(name: string): boolean {
  return name === 'env' || SHELLS.has(name) || LOADER.test(name) || Object.hasOwn(WRAPPERS, name);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function started(argv: readonly string[]): Wrapped | undefined {
  return argv.length > 0 ? { argv, certain: true, starter: 'program' } : undefined;
}

function inShell(words: readonly string[]): Wrapped | undefined {
  const { command, script } = readShellCall(words);
  if (command) return { ...command, certain: false, starter: 'program' };
  if (!script) return undefined;
  // Standard input, for one, is in no image.
  return { argv: script, certain: !/^\/(dev|proc)\//.test(script[0] ?? ''), starter: 'reader' };
}

/** A name without a slash is searched where libraries are: that is left alone. */
function inLoader(words: readonly string[]): Wrapped | undefined {
  const argv = readOptions(words, LOADER_VALUES).operands;
  return argv[0]?.includes('/') ? { argv, certain: true, starter: 'reader' } : undefined;
}

type Settings = Pick<Wrapped, 'path' | 'workingDirectory'>;

function inEnv(words: readonly string[], before: Settings, splits: number): Wrapped | undefined {
  const { options, operands } = readOptions(words, ENV_VALUES, SPLIT);
  const without = options.get('-u') ?? options.get('--unset');
  const isBare = options.has('-i') || options.has('--ignore-environment') || without === 'PATH';
  const workingDirectory = options.get('-C') ?? options.get('--chdir');
  let settings: Settings = {
    ...before,
    ...(isBare && { path: PATH_OF_LIBC }),
    ...(workingDirectory !== undefined && { workingDirectory }),
  };
  const text = options.get('-S') ?? options.get('--split-string');
  if (text !== undefined) {
    return splits < MAX_SPLITS ? inSplit(text, operands, settings, splits + 1) : undefined;
  }
  let index = 0;
  for (; operands[index]?.includes('=') || operands[index] === '-'; index++) {
    const word = operands[index] ?? '';
    if (word === '-') settings = { ...settings, path: PATH_OF_LIBC };
    if (word.startsWith('PATH=')) settings = { ...settings, path: word.slice(5).split(':') };
  }
  const command = started(operands.slice(index));
  return command && { ...command, ...settings };
}

/** `env -S` splits one argument into words: the way to give an interpreter options in a `#!` line. */
function inSplit(
  text: string,
  rest: readonly string[],
  settings: Settings,
  splits: number,
): Wrapped | undefined {
  if (!/["'\\$#]/.test(text)) {
    return inEnv([...text.split(/\s+/).filter(word => word !== ''), ...rest], settings, splits);
  }
  const { words, path } = plainWords(text);
  const command = inEnv(words, path ? { ...settings, path } : settings, splits);
  return command && { ...command, certain: false };
}
