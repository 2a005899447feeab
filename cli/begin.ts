import './older-node.ts';
import { run } from './main.ts';
import { printable, terminalOf } from './output.ts';

/** Runs the command line in this process. */
export async function begin(process: NodeJS.Process): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', leave);
  // What Node and Google's clients warn of is not for who runs this: experiments, lookups that failed.
  if (!process.env['SLIPWAY_DEBUG']) process.removeAllListeners('warning');
  try {
    process.exitCode = await run(process.argv.slice(2), terminalOf(process));
  } catch (error) {
    // A stack of bundled code helps nobody, unless it is asked for.
    const stack = process.env['SLIPWAY_DEBUG'] && error instanceof Error ? error.stack : undefined;
    const message = stack ?? printable(error instanceof Error ? error.message : String(error));
    process.stderr.write(`slipway failed where it should not: ${message}\n`);
  }
}

/** Whoever read the output has seen enough: `slipway lint | head`. */
function leave(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}
