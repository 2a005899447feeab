import { readOptions } from './command-options.ts';

/** What a shell does by itself, without a program of that name. */
const OF_THE_SHELL: ReadonlySet<string> = new Set(
  [
    ': . [ [[ ! { alias bg break builtin case cd command continue declare echo eval exec exit export false fc fg',
    'for function getopts hash if jobs kill let local printf pwd read readonly return select set shift shopt source',
    'test time times trap true type typeset ulimit umask unalias unset until wait while',
  ]
    .join(' ')
    .split(' '),
);

/** A word that means itself, with quotes or without: no variable, no pattern, no operator. */
const PLAIN_WORD = /(?:[^\s'"\\$`;&|<>(){}*?[\]#~!]|'[^']*'|"[^"$`\\]*")+(?=[\s;&|<>]|$)/y;
/** The value may be anything but a command that is yet to run. */
const ASSIGNMENT = /([A-Za-z_]\w*)=((?:[^\s'"\\`;&|<>()]|'[^']*'|"[^"`\\]*")*)(?=[ \t]|$)/y;
const GAP = /(?:[ \t]|\\\n)*/y;
const ALL_ARGUMENTS = /"\$@"|\$@|"\$\{@\}"|\$\{@\}/y;

export interface ShellCall {
  /** The command in the text of `-c`; undefined where only a shell could tell. */
  readonly command?: PlainCommand;
  /** A script to read, and the arguments for it. */
  readonly script?: readonly string[];
}

export interface PlainCommand {
  readonly argv: readonly string[];
  /** Its directories, where the command sets PATH: `$PATH` among them is the one from before. */
  readonly path?: readonly string[];
}

/** What a shell is called to do. @param words the arguments of the shell */
export function readShellCall(words: readonly string[]): ShellCall {
  let index = 0;
  let isText = false;
  for (; /^[-+]./.test(words[index] ?? ''); index++) {
    const word = words[index] ?? '';
    if (word === '--') {
      index++;
      break;
    }
    if (word.startsWith('--')) {
      if (word === '--rcfile' || word === '--init-file') index++;
      continue;
    }
    // As in `-eo pipefail`: the value is the next argument.
    index += word.replaceAll(/[^oO]/g, '').length;
    if (!word.startsWith('-')) continue;
    if (word.includes('c')) isText = true;
    else if (word.includes('s')) return {};
  }
  const [first, ...rest] = words.slice(words[index] === '-' ? index + 1 : index);
  if (first === undefined) return {};
  if (!isText) return { script: [first, ...rest] };
  // The argument behind the text is the name of the shell.
  const command = firstCommand(first, rest.slice(1));
  return command ? { command } : {};
}

/** The first command of a text for a shell; undefined when it is none that starts a program, or cannot be seen. */
function firstCommand(text: string, given: readonly string[]): PlainCommand | undefined {
  const { words, path } = plainWords(text, given);
  const argv = words[0] === 'exec' ? readOptions(words.slice(1), ['-a']).operands : words;
  const [program] = argv;
  if (program === undefined || program === '' || OF_THE_SHELL.has(program)) return undefined;
  return { argv, ...(path && { path }) };
}

export interface PlainWords {
  /** Up to the first that a shell would have to work on. */
  readonly words: readonly string[];
  readonly path?: readonly string[];
}

/**
 * The words of a text for a shell up to the first that does not mean itself, without the assignments in front.
 *
 * @param given what `"$@"` stands for
 */
export function plainWords(whole: string, given: readonly string[] = []): PlainWords {
  const text = whole.trim();
  const words: string[] = [];
  let path: readonly string[] | undefined;
  for (let at = 0; at < text.length; ) {
    at += matchAt(GAP, text, at)?.[0].length ?? 0;
    const assignment = words.length === 0 ? matchAt(ASSIGNMENT, text, at) : undefined;
    if (assignment?.[1] === 'PATH') path = unquoted(assignment[2] ?? '').split(':');
    const match = assignment ?? matchAt(PLAIN_WORD, text, at);
    if (!match) {
      if (matchAt(ALL_ARGUMENTS, text, at)) words.push(...given);
      break;
    }
    if (!assignment) words.push(unquoted(match[0]));
    at += match[0].length;
  }
  return { words, ...(path && { path }) };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}

function unquoted(word: string): string {
  return word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2');
}
