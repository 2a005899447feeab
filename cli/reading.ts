import { Argument, type Command, Option } from 'commander';
import { PHASES } from '../functions/rollout/record.ts';
import type { Terminal } from './output.ts';
import {
  digest,
  durationSeconds,
  example,
  type Finish,
  loading,
  outputOption,
  wholeNumber,
} from './program.ts';

const NAME = 'a rollout, or a service: its rollout in flight, or else its newest';

/** What shows rollouts as they are on record. */
export function addReading(program: Command, terminal: Terminal, finish: Finish): void {
  addGet(program, terminal, finish);
  addList(program, terminal, finish);
  addStatus(program, terminal, finish);
  addHistory(program, terminal, finish);
  addExplain(program, terminal, finish);
}

function addGet(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('get')
    .summary('show a rollout: waves, targets, weights')
    .description('Shows a rollout as a tree: its waves, and what each target is at.')
    .addArgument(new Argument('<kind>', 'rollout').choices(['rollout']))
    .argument('<name>', NAME)
    .option('-w, --watch', 'until it is over; then ends as status does')
    .addOption(outputOption())
    .addHelpText('after', example('slipway get rollout hello --watch'))
    .action(async (_kind, name, options) => {
      const { getRollout } = await loading(() => import('./commands/get.ts'));
      finish(await getRollout(name, options, terminal));
    });
}

function addList(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('list')
    .summary('list services or rollouts')
    .description('Lists services with what is in flight or serves, or rollouts, the newest first.')
    .addArgument(
      new Argument('[kind]', 'default: services; rollouts with --service or --phase').choices([
        'services',
        'rollouts',
      ]),
    )
    .option('--service <name>', 'rollouts of this service')
    .addOption(new Option('--phase <phases...>', 'rollouts in one of these phases').choices(PHASES))
    .addOption(new Option('--limit <number>', 'so many at most').default(100).argParser(wholeNumber))
    .addOption(outputOption())
    .addHelpText('after', example('slipway list rollouts --service hello --phase Degraded'))
    .action(async (kind, options) => {
      const { list } = await loading(() => import('./commands/list.ts'));
      const isAboutRollouts = options.service !== undefined || options.phase !== undefined;
      finish(await list(kind ?? (isAboutRollouts ? 'rollouts' : 'services'), options, terminal));
    });
}

function addStatus(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('status')
    .summary('tell whether a rollout is Healthy, or wait until it is over')
    .description(
      'Says in one line where a rollout is. Ends with 0 when it is Healthy, with 1 when it is Degraded, Rejected or Superseded, with 2 when it is not over.',
    )
    .argument('<name>', NAME)
    .addOption(
      new Option('--timeout <duration>', 'wait so long for it to be over: 90s, 10m').argParser(
        durationSeconds,
      ),
    )
    .option('--tag <tag>', 'the newest rollout of this tag; with --timeout it may still have to begin')
    .addOption(
      new Option('--digest <digest>', 'the same by sha256:…, for tags that are pushed again').argParser(
        digest,
      ),
    )
    .addOption(outputOption())
    .addHelpText('after', example('slipway status hello --tag v1.2.0 --timeout 30m'))
    .action(async (name, { timeout, ...options }) => {
      const { status } = await loading(() => import('./commands/status.ts'));
      const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
      finish(await status(name, { ...options, timeoutMs }, terminal));
    });
}

function addHistory(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('history')
    .summary('tell what happened to a rollout')
    .description('Tells what happened to a rollout, in order.')
    .argument('<name>', NAME)
    .addOption(new Option('--limit <number>', 'the newest so many').argParser(wholeNumber))
    .addOption(outputOption())
    .addHelpText('after', example('slipway history hello --limit 20'))
    .action(async (name, options) => {
      const { history } = await loading(() => import('./commands/history.ts'));
      finish(await history(name, options, terminal));
    });
}

function addExplain(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('explain')
    .summary('tell why a rollout is where it is')
    .description(
      'Tells why: what it waits for, what the judge measured, why it was rolled back and to what, what is wrong with its image.',
    )
    .argument('<name>', NAME)
    .addOption(outputOption())
    .addHelpText('after', example('slipway explain hello'))
    .action(async (name, options) => {
      const { explainRollout } = await loading(() => import('./commands/explain.ts'));
      finish(await explainRollout(name, options, terminal));
    });
}
