import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { SlipwayError } from '../functions/errors.ts';
import metadata from '../package.json' with { type: 'json' };
import { addChecking } from './checking.ts';
import { addCommanding } from './commanding.ts';
import { type Answer, EXIT_CODES, printable, type Terminal } from './output.ts';
import { example, type Finish } from './program.ts';
import { addReading } from './reading.ts';
import type { GlobalOptions } from './session.ts';
import { addTools } from './tools.ts';

/** Runs the command line and gives its exit code. Commands are loaded when they are called. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  // Not an option of the program: `local push` has one of that name, and the program's would be taken for it.
  if (argv[0] === '--version') {
    terminal.out(`${metadata.version}\n`);
    return EXIT_CODES.yes.code;
  }
  let answer: Answer = 'yes';
  const program = commandLine(terminal, given => {
    answer = given;
  });
  try {
    await program.parseAsync(argv.map(plainLocal), { from: 'user' });
    return EXIT_CODES[answer].code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_CODES.yes.code : EXIT_CODES.unknown.code;
    }
    if (!(error instanceof SlipwayError)) throw error;
    terminal.err(`${error.message.split('\n').map(printable).join('\n')}\n`);
    return EXIT_CODES.unknown.code;
  }
}

/** In `slipway --local list` the command is no file. */
function plainLocal(word: string, index: number, argv: readonly string[]): string {
  if (word !== '--local') return word;
  return /[/\\.]/.test(argv[index + 1] ?? '') ? word : '--local=1';
}

/** All commands, with nothing run yet. */
export function commandLine(given: Terminal, finish: Finish): Command {
  /** As the options have it, once they are known. */
  const terminal = { ...given };
  const program = new Command('slipway')
    .description('Rolls container images out to Cloud Run and GKE, step by step.')
    .option('--project <id>', 'Google Cloud project that Slipway runs in (default: GOOGLE_CLOUD_PROJECT)')
    .option(
      '--local [file]',
      'the local cloud that runs here: npm start; FILE is its .slipway/local.json (default: SLIPWAY_LOCAL)',
    )
    .option('--no-color', 'no colours, as with NO_COLOR')
    .addHelpText(
      'after',
      `${example('slipway get rollout hello --watch')}\n\nslipway --version tells which one this is.\n\nExit codes:\n${exitCodes()}`,
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      getOutHelpWidth: () => terminal.columns ?? 100,
      getOutHasColors: () => terminal.hasColour,
    })
    .showHelpAfterError('(--help tells more)')
    .hook('preAction', async (_, command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      if (!options.color) terminal.hasColour = false;
      const isElsewhere = options.project ?? options.local ?? given.env['SLIPWAY_LOCAL'];
      if (!isElsewhere || NEEDS_NO_CLOUD.has(command.name())) return;
      const { environmentFor } = await import('./session.ts');
      terminal.env = await environmentFor(given.env, options, process.cwd());
    });
  program.commandsGroup('What is going on:');
  addReading(program, terminal, finish);
  program.commandsGroup('What a person decides:');
  addCommanding(program, terminal, finish);
  program.commandsGroup('Before anything is rolled out:');
  addChecking(program, terminal, finish);
  program.commandsGroup('Tools:');
  addTools(program, terminal, finish);
  addCompletion(program, terminal, finish);
  return program;
}

function addCompletion(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('completion')
    .summary('print a script that completes commands in a shell')
    .description(
      "Prints a script that completes commands, options and services; for a shell's start-up file.",
    )
    .addArgument(new Argument('<shell>', 'whose script').choices(SHELLS).argParser(shellOrNames))
    .addHelpText('after', example('eval "$(slipway completion bash)"'))
    .action(async what => {
      const { completion } = await import('./commands/completion.ts');
      finish(await completion(what, program, terminal));
    });
}

const SHELLS = ['bash', 'zsh', 'fish'];

/** The script itself asks for `names`. */
function shellOrNames(text: string): string {
  if (SHELLS.includes(text) || text === 'names') return text;
  throw new InvalidArgumentError(`Expected one of ${SHELLS.join(', ')}.`);
}

/** One that starts it, and one that runs in a shell's start-up file, work where none runs. */
const NEEDS_NO_CLOUD: ReadonlySet<string> = new Set(['local', 'completion']);

function exitCodes(): string {
  return Object.values(EXIT_CODES)
    .map(({ code, meaning }) => `  ${code}  ${meaning}`)
    .join('\n');
}
