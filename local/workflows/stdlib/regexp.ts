/**
 * Regular expressions in the RE2 dialect on top of JavaScript's. Two differences are made up for: syntax, and that the
 * language takes the leftmost-longest match where JavaScript takes the first alternative.
 */

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/\(\?<?[=!]/, 'looking ahead or behind'],
  [/(?<!\\)(?:\\\\)*\\[1-9]/, 'a backreference'],
  [/(?<!\\)(?:\\\\)*\\k</, 'a backreference'],
];

/** The same pattern for JavaScript, or why it is none. */
export function compilePattern(pattern: string): string | { readonly problem: string } {
  for (const [syntax, what] of FORBIDDEN) {
    if (syntax.test(pattern)) return { problem: `uses ${what}, which RE2 does not have: '${pattern}'` };
  }
  const translated = translate(pattern);
  try {
    new RegExp(translated);
    return translated;
  } catch {
    return { problem: `is no regular expression: '${pattern}'` };
  }
}

function translate(pattern: string): string {
  const translated = pattern
    .replaceAll(/\[:(\^?)(\w+):\]/g, (whole, _negated, name) => POSIX[name] ?? whole)
    .replaceAll('(?P<', '(?<')
    .replaceAll(/(?<!\\)((?:\\\\)*)\\A/g, '$1(?<![\\s\\S])')
    .replaceAll(/(?<!\\)((?:\\\\)*)\\z/g, '$1(?![\\s\\S])');
  const flags = /^\(\?([ims]+)\)/.exec(translated);
  return flags ? `(?${flags[1]}:${translated.slice(flags[0].length)})` : translated;
}

export interface Match {
  /** In UTF-16 units. */
  readonly at: number;
  readonly text: string;
}

export function hasMatch(pattern: string, source: string): boolean {
  return new RegExp(pattern).test(source);
}

/** All matches from left to right that do not overlap, each the longest at its place. */
export function allMatches(pattern: string, source: string): readonly Match[] {
  const matches: Match[] = [];
  const search = new RegExp(pattern, 'g');
  while (search.lastIndex <= source.length) {
    const found = search.exec(source);
    if (!found) break;
    const text = longestAt(pattern, source, found.index, found[0].length);
    matches.push({ at: found.index, text });
    search.lastIndex = found.index + Math.max(1, text.length);
  }
  return matches;
}

/** The longest match at `at`: asks for one that ends exactly at each later place, the farthest first. */
function longestAt(pattern: string, source: string, at: number, atLeast: number): string {
  if (!/[|?*+{]/.test(pattern)) return source.slice(at, at + atLeast);
  for (let end = source.length; end > at + atLeast; end -= 1) {
    const exact = new RegExp(`(?:${pattern})(?=[\\s\\S]{${source.length - end}}(?![\\s\\S]))`, 'y');
    exact.lastIndex = at;
    const found = exact.exec(source);
    if (found && found[0].length === end - at) return found[0];
  }
  return source.slice(at, at + atLeast);
}
