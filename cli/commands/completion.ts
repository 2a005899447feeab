import type { Command } from 'commander';
import { completionScript, type Shell } from '../completion.ts';
import { type Answer, lines, type Terminal } from '../output.ts';
import { environmentFor, type GlobalOptions } from '../session.ts';
import { withStore } from '../store.ts';

/** `slipway completion`: a script for the shell; `names` is what the script asks for. */
export async function completion(
  what: Shell | 'names',
  program: Command,
  terminal: Terminal,
): Promise<Answer> {
  if (what === 'names') terminal.out(lines(await names(program.opts(), terminal)));
  else terminal.out(completionScript(program, what));
  return 'yes';
}

/** Services on record, where that is a matter of milliseconds: a key that was pressed waits for it. */
async function names(options: GlobalOptions, terminal: Terminal): Promise<string[]> {
  try {
    const here = await environmentFor(terminal.env, options, process.cwd());
    if (!here['SLIPWAY_STORE']?.startsWith('sqlite:')) return [];
    const services = await withStore({ ...terminal, env: here }, store =>
      store.list('service', { limit: 1000 }),
    );
    // A shell expands what is completed: nothing but plain names.
    return services.flatMap(({ name }) => (/^[\w.-]+$/.test(name) ? [name] : []));
  } catch {
    return [];
  }
}
