import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SlipwayError } from '../functions/errors.ts';
import { type Answer, EXIT_CODES, printable, type Terminal } from './output.ts';

/** Runs the command line and gives its exit code. Commands are loaded when they are called. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let answer: Answer = 'yes';
  const program = commandLine(terminal, given => {
    answer = given;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
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

type Finish = (answer: Answer) => void;

function commandLine(terminal: Terminal, finish: Finish): Command {
  const program = new Command('slipway')
    .description('Rolls container images out to Cloud Run and GKE, step by step.')
    .addHelpText('after', `\nExit codes:\n${exitCodes()}`)
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      getOutHelpWidth: () => terminal.columns ?? 100,
      getOutHasColors: () => terminal.hasColour,
    })
    .showHelpAfterError('(--help tells more)');
  addVerify(program, terminal, finish);
  addLint(program, terminal, finish);
  addPlan(program, terminal, finish);
  return program;
}

function exitCodes(): string {
  return Object.values(EXIT_CODES)
    .map(({ code, meaning }) => `  ${code}  ${meaning}`)
    .join('\n');
}

function addVerify(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('verify')
    .summary('check that an image can run on every platform')
    .description('Checks that an image can run on every platform it has to run on.')
    .argument('<image>', 'HOST/REPOSITORY[:TAG][@DIGEST]; without a host it is Docker Hub')
    .option(
      '--platform <platform>',
      'required platform, repeated or separated by commas (default: linux/amd64,linux/arm64)',
      listed,
    )
    .option('--binaries', 'read what the container would execute')
    .addOption(
      new Option('--twins <rule>', 'what becomes of platforms that are not one build').choices([
        'report',
        'strict',
      ]),
    )
    .option('--policy <file>', 'take the rules of a service in this policy')
    .option('--service <name>', 'the service (default: the one of this image)')
    .addOption(insecureOption())
    .addOption(timeoutOption())
    .option('--json', 'the verdict as JSON')
    .addHelpText('after', example('slipway verify --binaries us-docker.pkg.dev/acme/apps/hello:v1.2.0'))
    .action(async (image, { timeout, ...options }) => {
      const { verify } = await loading(() => import('./commands/verify.ts'));
      finish(await verify(image, { ...options, timeoutMs: timeout * 1000 }, terminal));
    });
}

function addLint(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('lint')
    .summary('check policies and workflows')
    .description(
      'Tells every problem of policies and workflows, and what can be seen at each step of a rollout.',
    )
    .argument('[files...]', 'default: SLIPWAY_POLICY or rollouts.yaml, and workflows/*.yaml')
    .addOption(rateOption())
    .addOption(stableErrorsOption())
    .option('--strict', 'warnings count as problems')
    .addOption(outputOption())
    .addHelpText('after', example('slipway lint --rps 200 rollouts.yaml'))
    .action(async (files, options) => {
      const { lint } = await loading(() => import('./commands/lint.ts'));
      finish(await lint(files, { ...options, ...trafficIn(options) }, terminal));
    });
}

function addPlan(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('plan')
    .summary('tell what a push would do now')
    .description('Tells what a push of an image would do now, and changes nothing.')
    .argument('[image]', 'HOST/REPOSITORY:TAG; without it the plan of each service')
    .option('--policy <file>', 'the policy (default: SLIPWAY_POLICY or rollouts.yaml)')
    .option('--service <name>', 'this service alone')
    .addOption(rateOption())
    .addOption(stableErrorsOption())
    .option('--no-verify', 'do not look at the image')
    .addOption(insecureOption())
    .addOption(timeoutOption())
    .addOption(outputOption())
    .addHelpText('after', example('slipway plan --rps 200 us-docker.pkg.dev/acme/apps/hello:v1.2.0'))
    .action(async (image, { timeout, ...options }) => {
      const { plan } = await loading(() => import('./commands/plan.ts'));
      finish(await plan(image, { ...options, ...trafficIn(options), timeoutMs: timeout * 1000 }, terminal));
    });
}

async function loading<T>(command: () => Promise<T>): Promise<T> {
  await import('./jitless.ts');
  return command();
}

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

function rateOption(): Option {
  return new Option('--rps <number>', 'requests per second to each service').argParser(positive);
}

function stableErrorsOption(): Option {
  return new Option('--stable-errors <percent>', 'share of bad answers without any canary').argParser(
    percentage,
  );
}

function trafficIn({ rps, stableErrors }: { rps?: number; stableErrors?: number }) {
  return {
    requestsPerSecond: rps,
    stableErrorRatio: stableErrors === undefined ? undefined : stableErrors / 100,
  };
}

function insecureOption(): Option {
  return new Option('--insecure', 'the registry speaks plain HTTP');
}

function timeoutOption(): Option {
  return new Option('--timeout <duration>', 'for reading the image: 90s, 10m')
    .default(120, '2m')
    .argParser(durationSeconds);
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');
}

function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function positive(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function percentage(text: string): number {
  const number = Number(text.replace(/\s*%$/, ''));
  if (text.trim() !== '' && number >= 0 && number <= 100) return number;
  throw new InvalidArgumentError('Expected a percentage from 0 to 100.');
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

function durationSeconds(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const seconds = Number(amount) * (UNIT_SECONDS[unit] ?? 1);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('Expected a duration such as 90s or 10m, at most 24h.');
}
