/** Programs that only start another one, and those of their options that take a value. */
const WRAPPERS: Readonly<Record<string, readonly string[]>> = {
  env: ['-u', '--unset', '-C', '--chdir'],
  tini: ['-p', '-e'],
  'tini-static': ['-p', '-e'],
  'dumb-init': ['-r', '--rewrite'],
  catatonit: [],
};

const SHELLS: ReadonlySet<string> = new Set(['sh', 'bash', 'ash', 'dash']);

export interface Wrapped {
  readonly argv: readonly string[];
  /** False where only a shell could tell what it will run. */
  readonly certain: boolean;
}

/** The command behind a wrapper or in `sh -c`; undefined when argv is no wrapper or its command cannot be seen. */
export function wrappedCommand(argv: readonly string[]): Wrapped | undefined {
  const name = (argv[0] ?? '').split('/').at(-1) ?? '';
  if (SHELLS.has(name)) return firstOfShellCommand(argv);
  if (!Object.hasOwn(WRAPPERS, name)) return undefined;
  const withValue = WRAPPERS[name] ?? [];
  for (let index = 1; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') return commandAt(argv, index + 1);
    if (name === 'env' && /^-v?S/.test(word))
      return split(word.replace(/^-v?S\s*/, ''), argv.slice(index + 1));
    if (withValue.includes(word)) index++;
    else if (!word.startsWith('-') && !(name === 'env' && word.includes('='))) return commandAt(argv, index);
  }
  return undefined;
}

function commandAt(argv: readonly string[], index: number): Wrapped | undefined {
  return index < argv.length ? { argv: argv.slice(index), certain: true } : undefined;
}

/** `env -S` splits one argument into words: the way to give an interpreter options in a `#!` line. */
function split(text: string, rest: readonly string[]): Wrapped | undefined {
  const words = [...text.split(/\s+/).filter(word => word !== ''), ...rest];
  return wrappedCommand(['env', ...words]);
}

/** Only a plain first word counts: no variables, no assignments, nothing that the shell would do itself. */
function firstOfShellCommand(argv: readonly string[]): Wrapped | undefined {
  const script = argv[1] === '-c' ? argv[2] : undefined;
  const words = (script ?? '').trim().split(/\s+/);
  const program = words[0] === 'exec' ? words[1] : words[0];
  if (program === undefined || !/^[\w./-]+$/.test(program)) return undefined;
  return { argv: [program], certain: false };
}
