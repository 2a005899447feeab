import type { Rollout } from '../functions/rollout/record.ts';
import type { Outcome, SentCommand } from './outcome.ts';
import { type Painter, printable } from './output.ts';

export interface CommandReport {
  readonly command: SentCommand;
  readonly topic: string;
  /** undefined when it was not waited for. */
  readonly waited: Outcome | 'late' | 'interrupted' | undefined;
}

/** What was done, and how to go back; or why not, and how to look. */
export function commandReport(
  { command, topic, waited }: CommandReport,
  paint: Painter,
): { readonly out: string[]; readonly err: string[] } {
  const { service, id } = command;
  if (waited === undefined || typeof waited === 'string') {
    const sent = `Sent ${command.command} ${service} on ${topic} as ${id}`;
    const still = waited === 'late' ? '; nothing came of it in time, and it may yet' : '';
    const look = `What comes of it: slipway history ${service}, slipway explain ${service}`;
    const said = [printable(`${sent}${still}.`), printable(look)];
    return waited === undefined ? { out: said, err: [] } : { out: [], err: said };
  }
  if (waited.is === 'refused') {
    const { rollout } = waited;
    const look = rollout ? `How it stands: slipway explain ${rollout.id}` : 'What is on record: slipway list';
    const why = paint('red', printable(waited.why));
    return { out: [], err: [why, 'Nothing was changed.', printable(look)] };
  }
  const { entry, rollout } = waited;
  const done = printable(entry?.message ?? `Carried out: ${command.command} ${service}`);
  const stands = rollout && BEGINS.has(command.command) ? [placeOf(rollout)] : [];
  const next = nextSteps(command, rollout?.id).map(line => printable(line));
  return { out: [paint('green', done), ...stands, ...next], err: [] };
}

/** Commands after which the record tells at once what goes on; after the others it is a moment behind. */
const BEGINS: ReadonlySet<string> = new Set(['abort', 'undo', 'retry', 'rollout']);

function placeOf({ id, tag, phase, message }: Rollout): string {
  return printable(`${id} (${tag}) is ${phase}: ${message}`);
}

/** How to watch it, and how to take it back. */
function nextSteps(command: SentCommand, rollout: string | undefined): string[] {
  const { service } = command;
  const watch = rollout === undefined ? [] : [`Watch it: slipway get rollout ${rollout} --watch`];
  switch (command.command) {
    case 'promote':
    case 'resume':
    case 'retry':
    case 'rollout':
      return [...watch, `Take it back: slipway abort ${service}`];
    case 'abort':
    case 'undo':
      return [...watch, `Try that digest again: slipway retry ${rollout ?? service}`];
    case 'pause':
      return [...watch, `Let it go on: slipway resume ${service}`];
    case 'drain':
      return [`Bring it back: slipway undrain ${service} ${command.target}`];
    case 'undrain':
      return [`Take it out again: slipway drain ${service} ${command.target}`];
    case 'freeze':
      return [`Let it go on: slipway unfreeze ${service}`];
    case 'unfreeze':
      return [`Hold it again: slipway freeze ${service}`];
  }
}
