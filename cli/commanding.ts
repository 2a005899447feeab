import { type Command, Option } from 'commander';
import type { Wanted } from './commands/command.ts';
import type { Terminal } from './output.ts';
import {
  digest as digestOption,
  durationSeconds,
  example,
  type Finish,
  loading,
  outputOption,
} from './program.ts';

/** What a person decides. One loop: every command is sent, and waited for, in the same way. */
export function addCommanding(program: Command, terminal: Terminal, finish: Finish): void {
  async function give(name: string, wanted: Wanted, { timeout, ...options }: Parsed): Promise<void> {
    const { giveCommand } = await loading(() => import('./commands/command.ts'));
    finish(await giveCommand(name, wanted, { ...options, timeoutMs: timeout * 1000 }, terminal));
  }
  addPromote(program, give);
  for (const simple of SIMPLE) addSimple(program, simple, give);
  addRollout(program, give);
  addDrain(program, give);
}

type Give = (name: string, wanted: Wanted, options: Parsed) => Promise<void>;

/** As commander gives what all commands have. */
interface Parsed {
  readonly reason?: string;
  readonly actor?: string;
  readonly topic?: string;
  readonly wait: boolean;
  /** Seconds. */
  readonly timeout: number;
  readonly output: 'text' | 'json' | 'yaml';
}

const NAME = 'a service, or one of its rollouts';

function common(command: Command, example1: string): Command {
  return command
    .option('--reason <text>', 'why; it is in the history and in the events')
    .option('--actor <who>', 'who gives it (default: the account that is logged in)')
    .option('--topic <id>', 'where commands are published (default: as the policy says, or rollout-commands)')
    .addOption(
      new Option('--timeout <duration>', 'wait so long for what comes of it')
        .default(30, '30s')
        .argParser(durationSeconds),
    )
    .option('--no-wait', 'do not wait for what comes of it')
    .addOption(outputOption())
    .addHelpText('after', example(example1));
}

function addPromote(program: Command, give: Give): void {
  const command = program
    .command('promote')
    .summary('open the gate that a rollout waits at')
    .description('Opens the gate or the pause that a rollout waits at.')
    .argument('<name>', NAME)
    .option('--full', 'skip every gate and pause that is left')
    .option('--gate <gate>', 'only if it waits at this one: "wave 1 step 6"');
  common(command, 'slipway promote hello --reason "graphs look good"').action(
    async (name, { full, gate, ...options }) => {
      const gated = { ...(full ? { full } : {}), ...(gate === undefined ? {} : { gate }) };
      await give(name, { command: 'promote', ...gated }, options);
    },
  );
}

type SimpleCommand = 'pause' | 'resume' | 'abort' | 'undo' | 'retry' | 'freeze' | 'unfreeze';

interface Simple {
  readonly command: SimpleCommand;
  readonly summary: string;
  readonly description: string;
  readonly example: string;
}

const SIMPLE: readonly Simple[] = [
  {
    command: 'pause',
    summary: 'hold a rollout where it is',
    description: 'Holds a rollout: no target gets more weight or is promoted until resume.',
    example: 'slipway pause hello --reason "looking at a graph"',
  },
  {
    command: 'resume',
    summary: 'let a paused rollout go on',
    description: 'Lets a rollout go on that somebody paused.',
    example: 'slipway resume hello',
  },
  {
    command: 'abort',
    summary: 'roll back now',
    description: 'Rolls a rollout back, in any phase; its digest goes into quarantine.',
    example: 'slipway abort hello --reason "checkout is slow"',
  },
  {
    command: 'undo',
    summary: 'go back to what was Healthy before',
    description: 'Goes back to what was Healthy before, at once and on every target.',
    example: 'slipway undo hello --reason "wrong prices"',
  },
  {
    command: 'retry',
    summary: 'try a rollout again that was rolled back',
    description: 'Lifts the quarantine of a digest and starts a new attempt, with the policy as it is today.',
    example: 'slipway retry hello --reason "the database is back"',
  },
  {
    command: 'freeze',
    summary: 'hold a whole service',
    description: 'Holds a whole service: nothing starts or advances until unfreeze; a rollback always may.',
    example: 'slipway freeze hello --reason "sale until Monday"',
  },
  {
    command: 'unfreeze',
    summary: 'let a frozen service go on',
    description: 'Lets a service go on that somebody froze.',
    example: 'slipway unfreeze hello',
  },
];

function addSimple(
  program: Command,
  { command: word, summary, description, example }: Simple,
  give: Give,
): void {
  const command = program.command(word).summary(summary).description(description).argument('<name>', NAME);
  common(command, example).action(async (name, options) => give(name, { command: word }, options));
}

function addRollout(program: Command, give: Give): void {
  const command = program
    .command('rollout')
    .summary('roll a digest out by hand')
    .description('Starts the rollout of a digest by hand; it is verified as a pushed one is.')
    .argument('<service>', 'the service, as the policy names it')
    .requiredOption('--digest <digest>', 'sha256:… of the image (required)', digestOption)
    .option('--tag <tag>', 'what people call it (default: the first digits of the digest)');
  common(command, `slipway rollout hello --tag v1.1.9 --digest sha256:${'9f86d081'.repeat(8)}`).action(
    async (service, { digest, tag, ...options }) => {
      const tagged = tag === undefined ? {} : { tag };
      await give(service, { command: 'rollout', digest, ...tagged }, options);
    },
  );
}

function addDrain(program: Command, give: Give): void {
  for (const [word, summary, description] of [
    [
      'drain',
      "take a target's region out of the load balancer",
      'Takes the region of a Cloud Run target out of the load balancer; its users go to the other regions.',
    ],
    [
      'undrain',
      'bring a drained region back',
      'Brings the region of a Cloud Run target back into the load balancer.',
    ],
  ] as const) {
    const command = program
      .command(word)
      .summary(summary)
      .description(description)
      .argument('<name>', NAME)
      .argument('<target>', 'the target, as the policy names it');
    common(command, `slipway ${word} hello us`).action(async (name, target, options) =>
      give(name, { command: word, target }, options),
    );
  }
}
