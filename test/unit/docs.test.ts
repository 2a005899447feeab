import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { commandLine } from '../../cli/main.ts';
import { parsePolicy } from '../../functions/rollout/policy.ts';
import { filesBelow } from '../files.ts';

/** What the pages say is there: what they link to, what they quote, and the commands that they tell people to type. */

const ROOT = resolve(import.meta.dirname, '../..');
const PAGES = filesBelow(ROOT, name => name.endsWith('.md'));

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** As GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map(heading =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(/\s/g, '-'),
    ),
  );
}

describe('links', () => {
  test.each(PAGES)('of %s lead somewhere', page => {
    const prose = read(page).replaceAll(/^```[\s\S]*?^```/gm, '');
    const links = [...prose.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter(link => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });
});

interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

function blocksOf(page: string): Block[] {
  const text = read(page);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(match => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    language: match[1] ?? '',
    text: match[2] ?? '',
  }));
}

const BLOCKS = PAGES.flatMap(blocksOf);

describe('snippets', () => {
  test.each(BLOCKS.filter(({ language }) => language === 'json'))('$page line $line is JSON', ({ text }) => {
    expect(() => JSON.parse(text)).not.toThrow();
  });

  test.each(BLOCKS.filter(({ language }) => language === 'yaml'))(
    '$page line $line is YAML',
    ({ text, page }) => {
      expect(parse(text)).toBeTypeOf('object');
      if (!text.startsWith('services:')) return;
      expect(parsePolicy(text, page)).toMatchObject({ ok: true });
    },
  );

  test('say what language they are in', () => {
    const known = ['', 'json', 'yaml', 'sh', 'js', 'ts', 'text', 'hcl', 'promql', 'csv', 'console'];
    expect(BLOCKS.filter(({ language }) => !known.includes(language))).toEqual([]);
  });
});

interface Typed {
  readonly page: string;
  readonly text: string;
  readonly words: readonly string[];
}

/** Commands in indented blocks, in fenced ones of the shell, and in code spans. */
function typedOn(page: string): Typed[] {
  const text = read(page).replaceAll(/\\\n\s*/g, ' ');
  const shell = [...text.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block.split('\n'),
  );
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '');
  const indented = [...prose.matchAll(/^(?: {4}|\t)(\S.*)$/gm)].map(([, line = '']) => line);
  const spans = [...prose.replaceAll(/^(?: {4}|\t).*$/gm, '').matchAll(/`([^`]+)`/g)].map(
    ([, span = '']) => span,
  );
  return [...shell, ...indented, ...spans]
    .flatMap(line =>
      line
        .replace(/^\$ /, '')
        .replace(/\s+#.*$/, '')
        .split(/ (?:&&|\||;) /),
    )
    .map(command => ({ page, text: command.trim(), words: wordsOf(command) }));
}

function wordsOf(command: string): string[] {
  const words = command.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? [];
  return words.map(word => word.replaceAll(/^(['"])(.*)\1$/g, '$2'));
}

const TYPED = PAGES.flatMap(typedOn);

describe('npm scripts', () => {
  const { scripts } = JSON.parse(read('package.json'));
  const named = TYPED.filter(({ words }) => words[0] === 'npm' && words[1] === 'run' && words.length > 2);
  test.each(named)('$page: $text', ({ words }) => {
    expect(Object.keys(scripts)).toContain(words[2]);
  });
});

const SLIPWAY = TYPED.map(({ words, ...rest }) => ({
  ...rest,
  words: words[0] === 'npx' ? words.slice(1) : words,
})).filter(({ words }) => words[0] === 'slipway' && words.length > 1);

describe('the command line has', () => {
  const terminal = {
    out: () => {},
    err: () => {},
    hasColour: false,
    canRedraw: false,
    env: {},
    columns: 100,
  };
  const program = commandLine(terminal, () => {});
  test.each(SLIPWAY)('$page: $text', ({ words }) => {
    expect(problemOf(program, words.slice(1))).toBeUndefined();
  });
});

/** What is wrong with a command as it is typed; capitals stand for whatever belongs there. */
function problemOf(program: Command, words: readonly string[]): string | undefined {
  let command = program;
  let given = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word.startsWith('-')) {
      const option = findOption(command, word.split('=', 1)[0] ?? '');
      if (option === 'help') return undefined;
      if (!option) return `${command.name()} has no option ${word}`;
      if (option.required && !word.includes('=')) index++;
      continue;
    }
    const sub = command.commands.find(one => one.name() === word || one.aliases().includes(word));
    if (sub && given === 0) command = sub;
    else given++;
  }
  const { registeredArguments: wanted } = command;
  if (command.commands.length > 0 && given > 0) return `${command.name()} has no command like that`;
  const most = wanted.some(({ variadic }) => variadic) ? Number.POSITIVE_INFINITY : wanted.length;
  return given > most ? `${command.name()} takes ${most} arguments, not ${given}` : undefined;
}

function findOption(command: Command, flag: string) {
  if (flag === '--help' || flag === '-h') return 'help' as const;
  for (let one: Command | null = command; one; one = one.parent) {
    const found = one.options.find(option => option.long === flag || option.short === flag);
    if (found) return found;
  }
  return undefined;
}
