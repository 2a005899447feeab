import { SlipwayError } from '../../functions/errors.ts';
import type { SampleOptions } from '../../local/images/main.ts';
import type { Answer, Terminal } from '../output.ts';
import { environmentFor } from '../session.ts';

export interface LocalCommandOptions {
  readonly policy?: string | undefined;
  readonly directory?: string | undefined;
  readonly session?: string | undefined;
}

/** Of Node.js: what the functions run on when they are deployed. */
const NODE_MAJOR = 24;

/** `slipway local`: a Google Cloud with Slipway in it, on this machine, until Ctrl-C. */
export async function local(options: LocalCommandOptions, terminal: Terminal): Promise<Answer> {
  checkNode();
  const { runLocalCloud } = await import('../../local/start.ts');
  await runLocalCloud({
    ...options,
    slipway: terminal.env['npm_command'] === 'exec' ? 'npx slipway' : 'slipway',
    say: text => terminal.out(`${text}\n`),
  });
  return 'yes';
}

function checkNode(): void {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) >= NODE_MAJOR) return;
  throw new SlipwayError(
    `The local cloud needs Node.js ${NODE_MAJOR} or newer; this is ${node} (${process.execPath}). ` +
      'It runs the functions and the images as they run when deployed, keeps its records in node:sqlite, and starts ' +
      `images whose command is a TypeScript file. Every other command of slipway works here; for this one put a Node.js ${NODE_MAJOR} first ` +
      `in PATH, for example with: npx --package node@${NODE_MAJOR} slipway local`,
    { code: 'InvalidArgument', operation: 'start the local cloud' },
  );
}

/** `slipway local push`: builds the sample service and pushes it, into the local cloud that runs here unless told. */
export async function push(options: SampleOptions, terminal: Terminal): Promise<Answer> {
  const { pushSample, UsageError } = await import('../../local/images/main.ts');
  const { PushError } = await import('../../local/images/push.ts');
  const registry = options.to === undefined ? await localRegistry(terminal) : undefined;
  try {
    terminal.out(`${await pushSample(options, registry)}\n`);
    return 'yes';
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof PushError)) throw error;
    throw new SlipwayError(error.message, {
      code: error instanceof UsageError ? 'InvalidArgument' : 'Unavailable',
      operation: 'push the sample service',
      cause: error,
    });
  }
}

/** Host and port of the registry of the local cloud that runs here, also where nobody said --local. */
async function localRegistry({ env }: Terminal): Promise<string | undefined> {
  const known = env['SLIPWAY_LOCAL']
    ? env
    : await environmentFor(env, { local: '1', color: true }, process.cwd());
  const [, url] = (known['SLIPWAY_REGISTRY_MIRRORS'] ?? '').split('=');
  return url && URL.canParse(url) ? new URL(url).host : undefined;
}
