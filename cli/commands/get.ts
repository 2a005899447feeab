import { isFinal, type Rollout, shownRollout } from '../../functions/rollout/record.ts';
import type { Store } from '../../functions/store/store.ts';
import { data, type Format, yamlWriter } from '../data.ts';
import { type Answer, json, lines, painter, type Terminal } from '../output.ts';
import { answerOf, findRollout, interruption, lookEveryMs, poll } from '../records.ts';
import { readStore, withStore } from '../store.ts';
import { drawScreen } from '../tree.ts';
import { lineView, type RolloutView, treeView } from '../view.ts';

export interface GetOptions {
  readonly watch?: boolean | undefined;
  readonly output: Format;
}

/** `slipway get rollout`: the tree of a rollout, once or until it is over. */
export async function getRollout(name: string, options: GetOptions, terminal: Terminal): Promise<Answer> {
  if (options.watch) {
    return withStore(terminal, async store =>
      watch(store, await findRollout(store, name), options, terminal),
    );
  }
  const rollout = await readStore(terminal, name, store => findRollout(store, name));
  const size = { columns: terminal.columns ?? Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY };
  terminal.out(
    options.output === 'text'
      ? lines(drawScreen(rollout, Date.now(), size, painter(terminal)))
      : await data(shownRollout(rollout), options.output),
  );
  return 'yes';
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

async function watch(store: Store, first: Rollout, options: GetOptions, terminal: Terminal): Promise<Answer> {
  const { signal, end } = interruption(terminal);
  const isDrawn = options.output === 'text' && terminal.screen !== undefined;
  const view = await viewFor(options, terminal);
  if (isDrawn) terminal.out(HIDE_CURSOR);
  try {
    const last = await poll(
      async () => (await store.read('rollout', first.id)) ?? first,
      isFinal,
      { everyMs: lookEveryMs(terminal.env), signal },
      rollout => view.show(rollout, Date.now()),
    );
    return last ? answerOf(last) : 'interrupted';
  } finally {
    view.close();
    // What the terminal wrote for Ctrl-C stays on a line of its own.
    if (isDrawn) terminal.out(signal.aborted ? `\n${SHOW_CURSOR}` : SHOW_CURSOR);
    end();
  }
}

async function viewFor({ output }: GetOptions, terminal: Terminal): Promise<RolloutView> {
  if (output === 'json') return documentView(terminal, rollout => json(shownRollout(rollout), 0));
  if (output === 'yaml') {
    const yaml = await yamlWriter();
    return documentView(terminal, rollout => `---\n${yaml(shownRollout(rollout))}`);
  }
  const { screen } = terminal;
  return screen ? treeView(terminal.out, screen, painter(terminal)) : lineView(terminal.out);
}

/** A document for every change. */
function documentView({ out }: Terminal, format: (rollout: Rollout) => string): RolloutView {
  let shown: string | undefined;
  return {
    show(rollout) {
      const text = format(rollout);
      if (text !== shown) out(text);
      shown = text;
    },
    keep() {},
    close() {},
  };
}
