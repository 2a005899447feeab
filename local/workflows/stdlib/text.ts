import { TextDecoder } from 'node:util';
import { mapOf, type Value } from '../values.ts';
import { type Args, instant, type StandardFunction } from './function.ts';
import { allMatches, compilePattern, hasMatch } from './regexp.ts';

export const TEXT: Readonly<Record<string, StandardFunction>> = {
  'text.encode': instant('data charset?', encode),
  'text.decode': instant('data charset?', decode),
  'text.find_all': instant('source substr', findAll),
  'text.find_all_regex': instant('source regexp', findAllRegex),
  'text.match_regex': instant('source regexp', args => hasMatch(pattern(args), args.string('source'))),
  'text.replace_all': instant('source substr repl', args =>
    args.string('source').replaceAll(args.string('substr'), () => args.string('repl')),
  ),
  'text.replace_all_regex': instant('source regexp repl', replaceAllRegex),
  'text.split': instant('source separator', split),
  'text.substring': instant('source start end', substring),
  'text.to_lower': instant('source', args => args.string('source').toLowerCase()),
  'text.to_upper': instant('source', args => args.string('source').toUpperCase()),
  'text.url_encode': instant('source', args => urlEncode(args.string('source'))),
  'text.url_encode_plus': instant('source', args => urlEncode(args.string('source')).replaceAll('%20', '+')),
  'text.url_decode': instant('source', urlDecode),
};

const CHARSETS: ReadonlySet<string> = new Set(['utf-8', 'utf8']);

function encode(args: Args): Value {
  const charset = args.string('charset', 'UTF-8');
  const data = args.string('data');
  if (CHARSETS.has(charset.toLowerCase())) return Buffer.from(data);
  if (/^(iso-8859-1|latin-?1|us-ascii|ascii)$/i.test(charset)) return encodeSingleByte(args, data, charset);
  if (/^utf-16le$/i.test(charset)) return Buffer.from(data, 'utf16le');
  throw args.badValue('charset', `is no known character set: '${charset}'`);
}

function encodeSingleByte(args: Args, data: string, charset: string): Value {
  const highest = /ascii/i.test(charset) ? 0x7f : 0xff;
  if ([...data].every(character => (character.codePointAt(0) ?? 0) <= highest)) {
    return Buffer.from(data, 'latin1');
  }
  throw args.badValue('data', `has characters that ${charset} does not have`);
}

function decode(args: Args): Value {
  const charset = args.string('charset', 'UTF-8');
  const bytes = args.bytes('data');
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  } catch {
    throw args.badValue('charset', `is no known character set: '${charset}'`);
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw args.badValue('data', `is not ${charset}`);
  }
}

/** Indexes count characters; JavaScript's count UTF-16 units. */
function characterIndex(source: string, unitIndex: number): bigint {
  return BigInt([...source.slice(0, unitIndex)].length);
}

function findAll(args: Args): Value {
  const source = args.string('source');
  const substr = args.string('substr');
  if (substr === '') throw args.badValue('substr', 'must not be empty');
  const found: bigint[] = [];
  for (let at = source.indexOf(substr); at >= 0; at = source.indexOf(substr, at + substr.length)) {
    found.push(characterIndex(source, at));
  }
  return found;
}

function findAllRegex(args: Args): Value {
  const source = args.string('source');
  return allMatches(pattern(args), source).map(({ at, text }) =>
    mapOf({ index: characterIndex(source, at), match: text }),
  );
}

function replaceAllRegex(args: Args): Value {
  const source = args.string('source');
  const replacement = args.string('repl');
  let result = '';
  let done = 0;
  for (const { at, text } of allMatches(pattern(args), source)) {
    result += source.slice(done, at) + replacement;
    done = at + text.length;
  }
  return result + source.slice(done);
}

function pattern(args: Args): string {
  const compiled = compilePattern(args.string('regexp'));
  if (typeof compiled === 'string') return compiled;
  throw args.badValue('regexp', compiled.problem);
}

function split(args: Args): Value {
  const separator = args.string('separator');
  if (separator === '') throw args.badValue('separator', 'must not be empty');
  return args.string('source').split(separator);
}

function substring(args: Args): Value {
  const characters = [...args.string('source')];
  const start = args.integer('start');
  const end = args.integer('end');
  if (start < 0 || start > characters.length) {
    throw args.badValue('start', `must be 0 to ${characters.length}, not ${start}`);
  }
  if (end < start || end > characters.length) {
    throw args.badValue('end', `must be ${start} to ${characters.length}, not ${end}`);
  }
  return characters.slice(start, end).join('');
}

/** Letters, digits, '.', '-' and '_' stay; everything else is escaped, also '~'. */
export function urlEncode(text: string): string {
  const escaped = Buffer.from(text).toString('latin1');
  return escaped.replace(/[^A-Za-z0-9._-]/g, byte => {
    return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

function urlDecode(args: Args): Value {
  try {
    return decodeURIComponent(args.string('source').replaceAll('+', ' '));
  } catch {
    throw args.badValue('source', 'is not URL-encoded text');
  }
}
