export interface Options {
  /** Name → its last value, empty for an option that takes none. */
  readonly options: ReadonlyMap<string, string>;
  /** What comes behind the options. */
  readonly operands: readonly string[];
}

/**
 * Takes the options off a command line, as getopt does that stops at the first operand.
 *
 * @param withValue those that take a value: `-u`, `--unset`
 * @param last those of them behind which nothing is an option of this command any more
 */
export function readOptions(
  words: readonly string[],
  withValue: readonly string[],
  last: readonly string[] = [],
): Options {
  const options = new Map<string, string>();
  let index = 0;
  while (index < words.length) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    index++;
    if (word === '--') break;
    const { name, value } = word.startsWith('--') ? longOption(word) : cluster(word, withValue, options);
    const isNext = value === undefined && withValue.includes(name);
    options.set(name, (isNext ? words[index++] : value) ?? '');
    if (last.includes(name)) break;
  }
  return { options, operands: words.slice(index) };
}

/** The value is undefined where the word has none. */
interface Option {
  readonly name: string;
  readonly value: string | undefined;
}

function longOption(word: string): Option {
  const equals = word.indexOf('=');
  if (equals < 0) return { name: word, value: undefined };
  return { name: word.slice(0, equals), value: word.slice(equals + 1) };
}

/** `-ivS` is `-i -v -S`; what follows one that takes a value, in the same word, is the value. Returns the last. */
function cluster(word: string, withValue: readonly string[], options: Map<string, string>): Option {
  for (let at = 1; at < word.length - 1; at++) {
    const name = `-${word[at]}`;
    if (withValue.includes(name)) return { name, value: word.slice(at + 1) };
    options.set(name, '');
  }
  return { name: `-${word.at(-1)}`, value: undefined };
}
