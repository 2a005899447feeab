import { isFinal, type Rollout, shownRollout } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { data, type Format } from '../data.ts';
import { type Answer, painter, printable, type Terminal } from '../output.ts';
import { withProgress } from '../progress.ts';
import {
  answerOf,
  findRollout,
  interruption,
  lookEveryMs,
  type Pushed,
  poll,
  pushName,
  rolloutNamed,
} from '../records.ts';
import { withStore } from '../store.ts';
import { marked, placeOf } from '../tree.ts';

export interface StatusOptions extends Pushed {
  /** undefined answers at once. */
  readonly timeoutMs?: number | undefined;
  readonly output: Format;
}

/** `slipway status`: where a rollout is, in one line; `yes` only when it is Healthy. */
export async function status(name: string, options: StatusOptions, terminal: Terminal): Promise<Answer> {
  return withStore(terminal, async store => {
    if (options.timeoutMs === undefined) {
      const rollout = await findRollout(store, name, options);
      await say(rollout, options, terminal);
      return answerOf(rollout);
    }
    return wait(store, name, { ...options, timeoutMs: options.timeoutMs }, terminal);
  });
}

async function wait(
  store: Store,
  name: string,
  options: StatusOptions & { readonly timeoutMs: number },
  terminal: Terminal,
): Promise<Answer> {
  const { tag, digest, timeoutMs } = options;
  const isPush = tag !== undefined || digest !== undefined;
  const interrupted = interruption(terminal);
  const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(timeoutMs)]);
  // What was pushed may be asked for before the push has arrived.
  let last = isPush ? undefined : await findRollout(store, name);
  const id = last?.id;
  try {
    const ended = await withProgress(
      terminal,
      () =>
        printable(
          last ? `${last.id} ${last.phase}: ${placeOf(last)}` : `no rollout of ${pushName(options)} yet`,
        ),
      () =>
        poll(
          () => (id === undefined ? rolloutNamed(store, name, options) : store.read('rollout', id)),
          rollout => rollout !== undefined && isFinal(rollout),
          { everyMs: lookEveryMs(terminal.env), signal },
          rollout => {
            last = rollout ?? last;
          },
        ),
    );
    if (interrupted.signal.aborted) return 'interrupted';
    // Says what there is instead, too.
    last ??= await findRollout(store, name, options);
    await say(last, options, terminal);
    if (ended) return answerOf(ended);
    terminal.err(`Not over within ${timeoutMs / 1000} s; --timeout allows more.\n`);
    return 'unknown';
  } finally {
    interrupted.end();
  }
}

async function say(rollout: Rollout, { output }: StatusOptions, terminal: Terminal): Promise<void> {
  if (output !== 'text') return terminal.out(await data(shownRollout(rollout), output));
  const { id, tag, phase } = rollout;
  const mark = marked(phase, painter(terminal));
  terminal.out(`${printable(`${id} (${tag})`)}: ${mark}: ${printable(placeOf(rollout))}\n`);
}
