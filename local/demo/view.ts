import { screenOf } from '../../cli/output.ts';
import { lineView, treeView } from '../../cli/view.ts';
import type { Rollout } from '../../functions/rollout/record.ts';

/** Where the demo shows itself: standard output on a terminal, standard error when that one is for JSON. */
export interface View {
  heading(text: string): void;
  line(text: string): void;
  /** The rollout as it is now: redrawn in place on a terminal, otherwise what is new in its history. */
  show(rollout: Rollout): void;
  /** Leaves the last tree where it is; what follows is drawn below. */
  keep(): void;
}

export function openView(stream: NodeJS.WriteStream, style: 'tree' | 'lines' = 'tree'): View {
  const write = (text: string) => void stream.write(text);
  const isDrawn = stream.isTTY && style === 'tree';
  const rollouts = isDrawn ? treeView(write, screenOf(stream)) : lineView(write);
  return {
    heading(text) {
      rollouts.keep();
      write(isDrawn ? `\n\x1b[1m${text}\x1b[0m\n` : `\n## ${text}\n`);
    },
    line(text) {
      rollouts.keep();
      write(`${text}\n`);
    },
    show: rollout => rollouts.show(rollout, Date.now()),
    keep: rollouts.keep,
  };
}
