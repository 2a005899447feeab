import { type Command, Option } from 'commander';
import type { Terminal } from './output.ts';
import {
  example,
  type Finish,
  insecureOption,
  listed,
  loading,
  outputOption,
  rateOption,
  readingTimeoutOption,
  stableErrorsOption,
  trafficIn,
} from './program.ts';

/** What looks at images, policies and plans, and changes nothing. */
export function addChecking(program: Command, terminal: Terminal, finish: Finish): void {
  addVerify(program, terminal, finish);
  addLint(program, terminal, finish);
  addPlan(program, terminal, finish);
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
    .addOption(readingTimeoutOption())
    .addOption(outputOption())
    .option('--json', 'the same as --output json')
    .addHelpText('after', example('slipway verify --binaries us-docker.pkg.dev/acme/apps/hello:v1.2.0'))
    .action(async (image, { timeout, json, ...options }) => {
      const { verify } = await loading(() => import('./commands/verify.ts'));
      const output = json ? 'json' : options.output;
      finish(await verify(image, { ...options, output, timeoutMs: timeout * 1000 }, terminal));
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
    .addOption(readingTimeoutOption())
    .addOption(outputOption())
    .addHelpText('after', example('slipway plan --rps 200 us-docker.pkg.dev/acme/apps/hello:v1.2.0'))
    .action(async (image, { timeout, ...options }) => {
      const { plan } = await loading(() => import('./commands/plan.ts'));
      finish(await plan(image, { ...options, ...trafficIn(options), timeoutMs: timeout * 1000 }, terminal));
    });
}
