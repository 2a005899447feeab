import { stripVTControlCharacters } from 'node:util';
import type { Rollout } from '../functions/rollout/record.ts';
import { type Painter, printable, type Screen } from './output.ts';
import { drawScreen } from './tree.ts';
import { widthOf } from './width.ts';

/** Where rollouts are shown while they change. */
export interface RolloutView {
  /** The rollout as it is now. */
  show(rollout: Rollout, nowMs: number): void;
  /** Leaves what is drawn where it is; what follows comes below. */
  keep(): void;
  /** Listens to the terminal no more. */
  close(): void;
}

/** A tree that is drawn again in place, no larger than the screen. */
export function treeView(write: (text: string) => void, screen: Screen, paint?: Painter): RolloutView {
  let drawn: readonly string[] = [];
  let last: { rollout: Rollout; nowMs: number } | undefined;
  function draw(): void {
    if (!last) return;
    const { rollout, nowMs } = last;
    const size = { columns: screen.columns - 1, rows: screen.rows - 1 };
    const lines = drawScreen(rollout, nowMs, size, paint);
    const up = drawn.reduce((rows, line) => rows + rowsOf(line, screen.columns), 0);
    const back = up > 0 ? `\r\u001b[${up}A` : '';
    write(`${back}${lines.map(line => `\u001b[2K${line}\n`).join('')}\u001b[0J`);
    drawn = lines;
  }
  const unsubscribe = screen.onResize(draw);
  const view: RolloutView = {
    show(rollout, nowMs) {
      last = { rollout, nowMs };
      draw();
    },
    keep() {
      drawn = [];
      last = undefined;
    },
    close() {
      unsubscribe();
      view.keep();
    },
  };
  return view;
}

/** A line that was drawn on a wider screen takes more rows of this one. */
function rowsOf(line: string, columns: number): number {
  return Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / columns));
}

/** What is new in the history, line by line. */
export function lineView(write: (text: string) => void): RolloutView {
  const shown = new Map<string, number>();
  return {
    show(rollout) {
      const known = shown.get(rollout.id) ?? 0;
      for (const entry of rollout.history) {
        if (entry.sequence <= known) continue;
        const time = new Date(entry.atMs).toISOString().slice(11, 23);
        write(`${time}  ${rollout.phase.padEnd(11)}  ${printable(entry.message)}\n`);
        shown.set(rollout.id, entry.sequence);
      }
    },
    keep() {},
    close() {},
  };
}
