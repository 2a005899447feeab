import { drawTree, printable } from '../../cli/tree.ts';
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
  return stream.isTTY && style === 'tree' ? terminalView(stream) : lineView(stream);
}

function terminalView(stream: NodeJS.WriteStream): View {
  let drawn = 0;
  const view: View = {
    heading(text) {
      view.keep();
      stream.write(`\n\x1b[1m${text}\x1b[0m\n`);
    },
    line(text) {
      view.keep();
      stream.write(`${text}\n`);
    },
    show(rollout) {
      const lines = drawTree(rollout, Date.now(), Math.max(60, stream.columns ?? 120) - 1);
      const up = drawn > 0 ? `\x1b[${drawn}A` : '';
      stream.write(`${up}${lines.map(line => `\x1b[2K${line}\n`).join('')}\x1b[0J`);
      drawn = lines.length;
    },
    keep() {
      drawn = 0;
    },
  };
  return view;
}

function lineView(stream: NodeJS.WritableStream): View {
  const shown = new Map<string, number>();
  return {
    heading: text => stream.write(`\n## ${text}\n`),
    line: text => stream.write(`${text}\n`),
    show(rollout) {
      const known = shown.get(rollout.id) ?? 0;
      for (const entry of rollout.history) {
        if (entry.sequence <= known) continue;
        const time = new Date(entry.atMs).toISOString().slice(11, 23);
        stream.write(`${time}  ${rollout.phase.padEnd(11)}  ${printable(entry.message)}\n`);
        shown.set(rollout.id, entry.sequence);
      }
    },
    keep() {},
  };
}
