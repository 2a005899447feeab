import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandLine } from '../../../cli/main.ts';
import { EXIT_CODES } from '../../../cli/output.ts';
import { Paper } from './terminal.ts';

/** docs/cli.md, with docs/tools.md for the tools, says of each command what --help says of it. */

const program = commandLine(new Paper(), () => {});
const text = ['cli.md', 'tools.md']
  .map(name => new URL(`../../../docs/${name}`, import.meta.url))
  .map(file => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
  .join('\n');

/** Those that do something themselves, by their words: `workflows lint`. */
function commandsOf(command: Command, above: readonly string[] = []): [string, Command][] {
  return command.commands.flatMap((one): [string, Command][] => {
    const path = [...above, one.name()];
    return one.commands.length > 0 ? commandsOf(one, path) : [[path.join(' '), one]];
  });
}

/** They have a page of their own, docs/tools.md, with its own way of telling. */
const TOOLS: ReadonlySet<string> = new Set(['load', 'replay', 'local', 'workflows']);

const all = commandsOf(program);
const commands = all.filter(([path]) => !TOOLS.has(path.split(' ')[0] ?? ''));

/** What stands below a heading, by the heading's words. */
const sections = new Map(
  text.split(/^#+ /m).map((section): [string, string] => {
    const [heading = '', ...lines] = section.split('\n');
    return [heading.replaceAll('`', ''), lines.join('\n')];
  }),
);

function sectionOf(path: string): string | undefined {
  const found = [...sections].find(([heading]) => `${heading} `.startsWith(`slipway ${path} `));
  return found?.[1];
}

/** In a section of its own, or in the table for all of them. */
const COMMON = [
  ...(sections.get('Which Slipway') ?? '').matchAll(/--[a-z-]+/g),
  ...(sections.get('What a person decides') ?? '').matchAll(/--[a-z-]+/g),
].map(([flag]) => flag);

describe.each(commands)('slipway %s', (path, command) => {
  test('has a section in the documentation, with an example and every option', () => {
    const section = sectionOf(path);
    if (section === undefined)
      throw new Error(`no heading "slipway ${path}" in docs/cli.md or docs/tools.md`);
    expect(section).toMatch(new RegExp(`^ {4}.*slipway .*${path.split(' ')[0]}`, 'm'));
    for (const { long } of command.options) {
      if (long && !COMMON.includes(long)) expect(section).toContain(long);
    }
  });
});

test('every tool is in the documentation', () => {
  const names = all.map(([path]) => path.split(' ')[0] ?? '').filter(name => TOOLS.has(name));
  for (const name of names) expect(text).toContain(`slipway ${name}`);
});

test('the documentation has no command that is none', () => {
  const known = new Set(all.flatMap(([path]) => [path, path.split(' ')[0]]));
  const named = [...sections.keys()].flatMap(heading => /^slipway ([a-z]+)/.exec(heading)?.[1] ?? []);
  expect(named.filter(name => !known.has(name))).toEqual([]);
  const typed = [...text.matchAll(/^ {4}(?:\$ )?slipway (?:--\S+ )*([a-z]+)/gm)].map(([, name = '']) => name);
  expect(typed.filter(name => !known.has(name))).toEqual([]);
});

test('examples in the documentation use options that there are', () => {
  const flags = new Set(['--help', '--local', '--project', '--no-color']);
  for (const [, { options }] of all) for (const { long } of options) if (long) flags.add(long);
  const typed = [...text.matchAll(/^ {4}(?:\$ )?slipway .*$/gm)].flatMap(
    ([line]) => line.match(/ --[a-z-]+/g) ?? [],
  );
  expect(typed.map(flag => flag.trim()).filter(flag => !flags.has(flag))).toEqual([]);
});

test('exit codes are those of --help', () => {
  const rows = Object.values(EXIT_CODES).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  for (const row of rows) expect(sections.get('Exit codes')).toContain(row);
});
