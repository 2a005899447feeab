import type { Command, Option } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

/** What may follow one command. */
interface Node {
  /** `get`, `workflows run`; empty for the program itself. */
  readonly path: string;
  readonly summary: string;
  readonly subcommands: readonly Node[];
  readonly options: readonly Option[];
  /** Values of its arguments, where they are known. */
  readonly choices: readonly string[];
  /** Whether a service is an argument of it. */
  readonly takesService: boolean;
}

/** A script for a shell's start-up file, made of the commands there are. */
export function completionScript(program: Command, shell: Shell): string {
  const root = nodeOf(program, []);
  switch (shell) {
    case 'bash':
      return bash(root);
    case 'zsh':
      return zsh(root);
    case 'fish':
      return fish(root);
  }
}

function nodeOf(command: Command, above: readonly string[]): Node {
  const help = command.createHelp();
  return {
    path: above.join(' '),
    summary: command.summary() || command.description(),
    subcommands: help
      .visibleCommands(command)
      .filter(one => one.name() !== 'help')
      .map(one => nodeOf(one, [...above, one.name()])),
    options: help.visibleOptions(command),
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    takesService: command.registeredArguments.some(one => one.name() === 'name' || one.name() === 'service'),
  };
}

function all(node: Node): Node[] {
  return [node, ...node.subcommands.flatMap(all)];
}

function lastWord({ path }: Node): string {
  return path.slice(path.lastIndexOf(' ') + 1);
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].flatMap(flag => flag ?? []);
}

/** Everything that a word after this command may be. */
function wordsOf(root: Node, node: Node): string[] {
  const options = node === root ? root.options : [...node.options, ...root.options];
  const flags = options.flatMap(({ long, short }) => long ?? short ?? []);
  return [...node.subcommands.map(lastWord), ...node.choices, ...new Set(flags)];
}

const NAMES = '$(slipway completion names $(_slipway_local) 2>/dev/null)';

/** Both shells' `case` reads the same. */
function caseLines(root: Node): { readonly step: string[]; readonly words: string[] } {
  const nodes = all(root);
  const step = nodes.flatMap(node =>
    node.subcommands.map(
      child => `      ${quoted(`${node.path}/${lastWord(child)}`)}) at=${quoted(child.path)} ;;`,
    ),
  );
  const values = nodes.flatMap(node =>
    (node === root ? root.options : [...node.options, ...root.options]).flatMap(option => {
      if (!option.required) return [];
      const patterns = flagsOf(option).map(flag => quoted(`${node.path}/${flag}`));
      const names = option.long === '--service' ? `"${NAMES}"` : quoted((option.argChoices ?? []).join(' '));
      return [`    ${patterns.join('|')}) words=${names} ;;`];
    }),
  );
  const words = nodes.map(node => {
    const known = wordsOf(root, node).join(' ');
    return `    ${quoted(`${node.path}/`)}*) words="${known}${node.takesService ? ` ${NAMES}` : ''}" ;;`;
  });
  return { step, words: [...values, ...words] };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bash(root: Node): string {
  const { step, words } = caseLines(root);
  return `# slipway completion for bash: eval "$(slipway completion bash)"
_slipway_local() {
  case " \${COMP_WORDS[*]} " in *' --local '*) echo --local ;; esac
}
_slipway() {
  local at='' words='' word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at/$word" in
${step.join('\n')}
    esac
  done
  case "$at/\${COMP_WORDS[COMP_CWORD - 1]}" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _slipway slipway
`;
}

function zsh(root: Node): string {
  const { step, words } = caseLines(root);
  return `#compdef slipway
# slipway completion for zsh: eval "$(slipway completion zsh)"
_slipway_local() {
  case " $_slipway_line " in *' --local '*) echo --local ;; esac
}
_slipway() {
  local _slipway_line="\${(j: :)words}" at='' word previous i
  local -a line
  line=("\${words[@]}")
  previous=\${line[CURRENT-1]}
  for ((i = 2; i < CURRENT; i++)); do
    word=\${line[i]}
    case "$at/$word" in
${step.join('\n')}
    esac
  done
  local words=''
  case "$at/$previous" in
${words.join('\n')}
  esac
  if [[ -n $words ]]; then compadd -- \${=words}; else _files; fi
}
compdef _slipway slipway
`;
}

function fish(root: Node): string {
  const names = "'(slipway completion names (string match -- --local (commandline -opc)) 2>/dev/null)'";
  const lines = [
    '# slipway completion for fish: slipway completion fish | source',
    ...root.options.map(option => fishOption('', option)),
    ...root.subcommands.flatMap(node => [
      `complete -c slipway -f -n __fish_use_subcommand -a ${node.path} -d ${quoted(node.summary)}`,
      ...fishNode(node, node.path, names),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function fishNode(node: Node, words: string, names: string): string[] {
  const seen = words
    .split(' ')
    .map(word => `__fish_seen_subcommand_from ${word}`)
    .join('; and ');
  const when = ` -n ${quoted(seen)}`;
  return [
    ...node.options.filter(({ long }) => long !== '--help').map(option => fishOption(when, option)),
    ...(node.choices.length > 0
      ? [`complete -c slipway -f${when} -a ${quoted(node.choices.join(' '))}`]
      : []),
    ...(node.takesService ? [`complete -c slipway -f${when} -a ${names}`] : []),
    ...node.subcommands.flatMap(child => [
      `complete -c slipway -f${when} -a ${lastWord(child)} -d ${quoted(child.summary)}`,
      ...fishNode(child, child.path, names),
    ]),
  ];
}

function fishOption(when: string, option: Option): string {
  const { short, long, required, argChoices = [], description } = option;
  const flags = [
    ...(long ? [`-l ${long.slice(2)}`] : []),
    ...(short ? [`-s ${short.slice(1)}`] : []),
    ...(required ? ['-r'] : []),
    ...(argChoices.length > 0 ? [`-f -a ${quoted(argChoices.join(' '))}`] : []),
  ];
  return `complete -c slipway${when} ${flags.join(' ')} -d ${quoted(description)}`;
}
