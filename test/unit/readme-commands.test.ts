import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { filesBelow } from '../files.ts';

/**
 * What the pages tell people to type exists: each subcommand and flag is looked up in the help of the tool that is
 * installed here. A tool that is not installed is said, and its commands are skipped.
 */

const ROOT = resolve(import.meta.dirname, '../..');
const PAGES = [...filesBelow(ROOT, name => name.endsWith('.md')), 'terraform/outputs.tf'];

interface Command {
  readonly page: string;
  readonly text: string;
  readonly words: readonly string[];
}

const COMMANDS = PAGES.flatMap(page => commandsIn(page, readFileSync(join(ROOT, page), 'utf8')));

/** Of indented and fenced blocks, of code spans and of the strings of outputs.tf. */
function commandsIn(page: string, text: string): Command[] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ');
  const blocks = [...joined.matchAll(/^(?: {4}|\t)(\S.*)$/gm)].map(([, line = '']) => line);
  const fenced = [...joined.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block.split('\n'),
  );
  const spans = [...joined.replaceAll(/^(?: {4}|\t).*$/gm, '').matchAll(/`([^`]+)`/g)].map(
    ([, span = '']) => span,
  );
  const strings = page.endsWith('.tf')
    ? joined.split('\n').flatMap(line => line.replaceAll('\\"', "'").split(/"|\\n/))
    : [];
  return [...blocks, ...fenced, ...spans, ...strings].flatMap(line =>
    pipeline(wordsOf(line)).map(words => ({ page, text: words.join(' '), words })),
  );
}

function wordsOf(text: string): string[] {
  return text.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? [];
}

/** The commands of a line, without the variables that are set for them. */
function pipeline(words: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of words) {
    if (['|', '&&', '>', ';'].includes(word)) commands.push([]);
    else if (commands.at(-1)?.length !== 0 || !/^[A-Z_]+=/.test(word)) commands.at(-1)?.push(word);
  }
  return commands;
}

function commandsOf(tool: string): Command[] {
  return COMMANDS.filter(({ words }) => words[0] === tool && words.length > 1);
}

/** `--flag` of `--flag=value`. */
function flagsOf({ words }: Command): string[] {
  return words.filter(word => /^--?[a-z]/i.test(word)).map(word => word.split('=')[0] ?? '');
}

function help(tool: string, args: readonly string[]): string {
  const env = { ...process.env, CHECKPOINT_DISABLE: '1', TF_CLI_CONFIG_FILE: '/dev/null' };
  const { stdout, stderr } = spawnSync(tool, [...args], { encoding: 'utf8', env });
  return `${stdout ?? ''}${stderr ?? ''}`;
}

function isInstalled(tool: string, ...args: string[]): boolean {
  return spawnSync(tool, args, { env: { ...process.env, CHECKPOINT_DISABLE: '1' } }).status === 0;
}

test('commands are found on the pages', () => {
  expect(commandsOf('gcloud').length).toBeGreaterThan(5);
  expect(commandsOf('terraform').length).toBeGreaterThan(5);
  expect(commandsOf('kubectl').length).toBeGreaterThan(3);
  const [command] = commandsIn('x.md', "    A=1 gcloud run services list --format='a | b' | less\n");
  expect(command?.words).toEqual(['gcloud', 'run', 'services', 'list', "--format='a | b'"]);
  expect(flagsOf({ page: '', text: '', words: ['kubectl', 'apply', '-k', '--dry-run=server', '-'] })).toEqual(
    ['-k', '--dry-run'],
  );
});

/** One line per subcommand and flag that there is not. */
type Missing = string[];

interface Node {
  readonly commands: Readonly<Record<string, Node>>;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly isGroup: boolean;
}
const NODE: z.ZodType<Node> = z.lazy(() =>
  z.object({
    commands: z.record(z.string(), NODE),
    flags: z.record(z.string(), z.unknown()),
    isGroup: z.boolean(),
  }),
);

/** What gcloud completes commands from, which is a Python file: help itself takes seconds a command. */
function gcloudTree(): Node | string {
  const found = spawnSync('sh', ['-c', 'command -v gcloud'], { encoding: 'utf8' }).stdout.trim();
  if (!found) return 'gcloud is not installed';
  const file = resolve(realpathSync(found), '../../data/cli/gcloud_completions.py');
  if (!existsSync(file)) return `gcloud has no ${file}: it was installed without completions`;
  const words = new Set(commandsOf('gcloud').flatMap(command => command.words));
  const { status, stdout } = spawnSync('python3', ['-B', '-c', PRUNE, file, ...words], { encoding: 'utf8' });
  return status === 0
    ? NODE.parse(JSON.parse(stdout))
    : 'python3, which reads what gcloud completes, is not installed';
}

/** Six megabytes, but for the branches that are asked for. */
const PRUNE = `
import json, runpy, sys
words = set(sys.argv[2:])
def prune(node):
    kept = {word: prune(child) for word, child in node.get('commands', {}).items() if word in words}
    return {'commands': kept, 'flags': dict.fromkeys(node.get('flags', {}), 1), 'isGroup': bool(node.get('commands'))}
print(json.dumps(prune(runpy.run_path(sys.argv[1])['STATIC_COMPLETION_CLI_TREE'])))`;

describe('gcloud', () => {
  test('knows every command, with its flags', ({ skip }) => {
    const tree = gcloudTree();
    if (typeof tree === 'string') return skip(tree);
    const missing = commandsOf('gcloud').flatMap(command => missingIn(tree, command));
    expect(missing).toEqual([]);
    expect(missingIn(tree, { page: 'x', text: 'x', words: ['gcloud', 'run', 'fly', '--high'] })).toHaveLength(
      2,
    );
  });
});

function missingIn(tree: Node, command: Command): Missing {
  let node = tree;
  const flags = new Set(Object.keys(tree.flags));
  const rest = command.words.slice(1).filter(word => !word.startsWith('-'));
  while (node.isGroup) {
    const word = rest.shift() ?? '';
    const next = node.commands[word];
    if (!next) return [`${command.page}: no "${word}" in ${command.text}`, ...missingFlags(command, flags)];
    node = next;
    for (const flag of Object.keys(node.flags)) flags.add(flag);
  }
  return missingFlags(command, flags);
}

function missingFlags(command: Command, known: ReadonlySet<string>): Missing {
  return flagsOf(command)
    .filter(flag => !known.has(flag) && !known.has(flag.replace('--no-', '--')))
    .map(flag => `${command.page}: no ${flag} in ${command.text}`);
}

describe('terraform', () => {
  const TWO_WORDS = ['state', 'providers'];

  test('knows every command, with its flags', ({ skip }) => {
    if (!isInstalled('terraform', 'version')) return skip('terraform is not installed');
    const ofAll = help('terraform', ['-help']);
    const missing = commandsOf('terraform').flatMap(command => {
      const [first = '', second = ''] = command.words.slice(1).filter(word => !word.startsWith('-'));
      const subcommand = TWO_WORDS.includes(first) ? [first, second] : [first];
      const own = helpOf('terraform', [...subcommand, '-help']);
      if (!own.includes(`terraform [global options] ${subcommand.join(' ')}`)) {
        return [`${command.page}: no "${subcommand.join(' ')}" in ${command.text}`];
      }
      return flagsOf(command)
        .filter(flag => !new RegExp(`^\\s+${flag}\\b`, 'm').test(`${ofAll}\n${own}`))
        .map(flag => `${command.page}: no ${flag} in ${command.text}`);
    });
    expect(missing).toEqual([]);
  });
});

describe('kubectl', () => {
  const TWO_WORDS = ['auth', 'config', 'rollout', 'create'];

  test('knows every command, with its flags', ({ skip }) => {
    if (!isInstalled('kubectl', 'kustomize', '--help')) return skip('kubectl is not installed');
    const ofAll = help('kubectl', ['options']);
    const missing = commandsOf('kubectl').flatMap(command => {
      const [first = '', second = ''] = command.words.slice(1).filter(word => !word.startsWith('-'));
      const subcommand = TWO_WORDS.includes(first) ? [first, second] : [first];
      const own = helpOf('kubectl', [...subcommand, '--help']);
      if (!own.includes(`kubectl ${subcommand.join(' ')}`)) {
        return [`${command.page}: no "${subcommand.join(' ')}" in ${command.text}`];
      }
      return flagsOf(command)
        .filter(flag => !new RegExp(`(?:^|[\\s,])${flag}[,=\\s]`, 'm').test(`${ofAll}\n${own}`))
        .map(flag => `${command.page}: no ${flag} in ${command.text}`);
    });
    expect(missing).toEqual([]);
  });
});

const known = new Map<string, string>();

function helpOf(tool: string, args: readonly string[]): string {
  const key = [tool, ...args].join(' ');
  const text = known.get(key) ?? help(tool, args);
  known.set(key, text);
  return text;
}

describe('npm', () => {
  test('has every script', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')));
    const asked = commandsOf('npm')
      .filter(({ words }) => words[1] === 'run')
      .map(({ words }) => words[2] ?? '');
    expect(asked.filter(name => !(name in scripts))).toEqual([]);
  });
});

test('files that are named on the pages are there', () => {
  const named = [...COMMANDS.flatMap(({ words }) => words)].filter(word =>
    /^(?:terraform|k8s|app|docs|test)\/[\w/.-]+$/.test(word),
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter(path => !existsSync(join(ROOT, path)))).toEqual([]);
});
