import { type Command, InvalidArgumentError } from 'commander';
import { EXECUTION_STATES } from './execution-states.ts';
import type { Terminal } from './output.ts';
import {
  durationSeconds,
  example,
  type Finish,
  listed,
  loading,
  outputOption,
  positive,
  wholeNumber,
} from './program.ts';

/** Everything around rollouts: load, replay, the local cloud, workflows. */
export function addTools(program: Command, terminal: Terminal, finish: Finish): void {
  addLoad(program, terminal, finish);
  addReplay(program, terminal, finish);
  addLocal(program, terminal, finish);
  addWorkflows(program, terminal, finish);
}

function addLoad(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('load')
    .summary('send steady requests and tell who answered')
    .description(
      'Sends requests at a steady rate, whatever the answers are, and tells who answered them and how. Exit 0 when ' +
        'every one was answered below 500. Ctrl-C ends it and prints what came so far.',
    )
    .argument('<url>', 'http or https', httpUrl)
    .option('--rps <number>', 'requests per second', positive, 50)
    .option('--duration <duration>', '90s, 10m; at most 24h', durationSeconds, 60)
    .option('--header <name:value>', 'sent with every request, may be repeated', header, {})
    .option('--concurrency <number>', 'requests that may wait for their answer at once', wholeNumber, 100)
    .option('--timeout <duration>', 'for one answer', durationSeconds, 30)
    .option('--expect-status <status>', '200 or 2xx, repeated or by commas (default: below 500)', statuses)
    .addOption(outputOption())
    .addHelpText('after', example('slipway load --rps 200 --duration 10m https://hello.acme.example/'))
    .action(async (url, { rps, duration, header: headers, timeout, ...options }) => {
      const { load } = await loading(() => import('./commands/load.ts'));
      const times = { durationSeconds: duration, timeoutMs: timeout * 1000 };
      finish(await load(url, { ...options, ...times, requestsPerSecond: rps, headers }, terminal));
    });
}

function addReplay(program: Command, terminal: Terminal, finish: Finish): void {
  program
    .command('replay')
    .summary('try a policy on requests that were recorded or written down')
    .description(
      'Tells what a policy would have done with the requests in a file: when it would have stopped the rollout, after ' +
        'how many bad requests, and when each alert would have fired. Exit 0 when the rollout would have been ' +
        'promoted, 1 when taken back, 2 when the file ends before either.',
    )
    .argument('[file]', 'CSV, YAML or JSON; docs/tools.md tells what is in it')
    .option('--rollout <file>', "a rollout's record instead: what `slipway history -o json` prints")
    .option('--policy <file>', 'the policy (default: SLIPWAY_POLICY or rollouts.yaml)')
    .option('--service <name>', 'the service (default: the only one, or that of the record)')
    .option('--lag <duration>', 'how late metrics are seen (default: 3m, of a record 0)', delaySeconds)
    .option('--gate <duration>', 'how long a person takes to promote at a gate', delaySeconds, 600)
    .addOption(outputOption())
    .addHelpText('after', example('slipway replay --policy rollouts.yaml incident.csv'))
    .action(async (file, options) => {
      const { replay } = await loading(() => import('./commands/replay.ts'));
      finish(await replay(file, options, terminal));
    });
}

function addLocal(program: Command, terminal: Terminal, finish: Finish): void {
  const local = program
    .command('local')
    .summary('run a Google Cloud with Slipway in it on this machine')
    .description(
      'Runs the local cloud, the functions and an example service until Ctrl-C, and says how to push to it. It needs ' +
        'Node.js 24.',
    )
    .option('--policy <file>', 'the policy (default: the example with pauses of seconds, to be edited)')
    .option('--directory <folder>', 'keep records and images there (default: a folder that goes away)')
    .option('--session <file>', 'where the command line finds it (default: .slipway/local.json)')
    .addHelpText('after', example('slipway local --policy rollouts.yaml'))
    .action(async options => {
      // It parses many documents: schemas that are compiled pay off there.
      const { local: run } = await import('./commands/local.ts');
      finish(await run(options, terminal));
    });
  local
    .command('push')
    .summary('build the sample service and push it')
    .description('Builds the sample service into an image for two platforms, without Docker, and pushes it.')
    .option('--version <version>', 'what the service says it is; the tag too, unless --to names one')
    .option('--to <image>', 'HOST[:PORT]/REPOSITORY:TAG (default: the local cloud that runs here)')
    .option('--platform <platform>', 'linux/amd64 or linux/arm64, may be repeated (default: both)', listed)
    .option('--env <name=value>', 'in the image, may be repeated: FAIL_RATIO=0.2, LATENCY_MS=800', listed)
    .option('--app <folder>', 'sources (default: those of the sample service)')
    .addHelpText('after', example('slipway local push --version v1.1.0 --env FAIL_RATIO=0.2'))
    .action(async options => {
      const { push } = await loading(() => import('./commands/local.ts'));
      finish(await push(options, terminal));
    });
}

function addWorkflows(program: Command, terminal: Terminal, finish: Finish): void {
  const workflows = program
    .command('workflows')
    .summary('look at the executions of the workflows, or run a definition')
    .description(
      'Looks at the executions behind the rollouts, and runs and checks definitions on this machine.',
    );
  workflows
    .command('list')
    .summary('the two workflows and how their executions are')
    .description('Lists the two workflows: how many of their newest executions run, succeeded and failed.')
    .addOption(outputOption())
    .addHelpText('after', example('slipway workflows list'))
    .action(async options => {
      const { listWorkflows } = await loading(() => import('./commands/workflows.ts'));
      finish(await listWorkflows(options, terminal));
    });
  workflows
    .command('executions')
    .summary('the newest executions')
    .description('Lists the newest executions of both workflows, with their rollout, step and error.')
    .option('--workflow <name>', 'of this workflow alone')
    .option('--state <state>', 'in this state alone: ACTIVE, FAILED, …', executionState)
    .option('--limit <number>', 'of each workflow at most, up to 100', wholeNumber, 20)
    .addOption(outputOption())
    .addHelpText('after', example('slipway workflows executions --state FAILED'))
    .action(async options => {
      const { listExecutions } = await loading(() => import('./commands/workflows.ts'));
      finish(await listExecutions(options, terminal));
    });
  workflows
    .command('describe')
    .summary('one execution: argument, steps, result, error')
    .description('Tells everything about one execution: argument, present steps, result or error.')
    .argument('<execution>', 'its id, or its full name')
    .addOption(outputOption())
    .addHelpText('after', example('slipway workflows describe 6f0e2c9a-4e0d-4e3d-9a8e-0d5d3b2a1c00'))
    .action(async (execution, options) => {
      const { describeExecution } = await loading(() => import('./commands/workflows.ts'));
      finish(await describeExecution(execution, options, terminal));
    });
  workflows
    .command('run')
    .summary('run a definition on this machine')
    .description(
      'Runs a workflow definition on this machine: its result on standard output, its log on standard error. Its ' +
        'requests may go to this machine alone. Exit 1 when it fails.',
    )
    .argument('<file>', 'the definition, YAML or JSON')
    .option('--data <json>', 'the argument')
    .option('--env <name=value>', 'a variable for sys.get_env, may be repeated', listed)
    .option('--steps', 'tell every step')
    .addHelpText('after', example(`slipway workflows run --data '{"name": "you"}' hello.yaml`))
    .action(async (file, options) => {
      const { runWorkflow } = await loading(() => import('./commands/workflows-run.ts'));
      finish(await runWorkflow(file, options, terminal));
    });
  workflows
    .command('lint')
    .summary('check definitions')
    .description(
      'Tells what is wrong in workflow definitions; `slipway lint` checks them together with the policy.',
    )
    .argument('<files...>')
    .addHelpText('after', example('slipway workflows lint workflows/rollout.yaml'))
    .action(async files => {
      const { lint } = await loading(() => import('./commands/lint.ts'));
      finish(await lint(files, { output: 'text' }, terminal));
    });
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    throw new InvalidArgumentError('Expected a URL without a password; --header sends one.');
  }
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new InvalidArgumentError(
    'Expected a URL such as http://127.0.0.1:8080/ or https://hello.acme.example/.',
  );
}

function header(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+)\s*:\s*([\t\x20-\x7e]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('Expected a header such as "x-user: ann".');
  }
  return { ...before, [name]: value };
}

function statuses(text: string, before: readonly string[] = []): string[] {
  const all = text.split(',').map(status => status.trim().toLowerCase());
  if (all.every(status => /^[1-5](?:\d\d|xx)$/.test(status))) return [...before, ...all];
  throw new InvalidArgumentError('Expected a status such as 200 or 2xx.');
}

function delaySeconds(text: string): number {
  return /^0(?:ms|s|m|h)?$/.test(text) ? 0 : durationSeconds(text);
}

function executionState(text: string): string {
  const state = text.toUpperCase();
  if (EXECUTION_STATES.includes(state)) return state;
  throw new InvalidArgumentError(`Expected one of ${EXECUTION_STATES.join(', ')}.`);
}
