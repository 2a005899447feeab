import { describe, expect, test } from 'vitest';
import type { Screen } from '../../../cli/output.ts';
import { drawScreen, drawTree, fitTree } from '../../../cli/tree.ts';
import { lineView, treeView } from '../../../cli/view.ts';
import { note } from '../../../functions/rollout/record.ts';
import { aService, aWorld, play, START_MS, UNTIL_GATE } from '../../worlds.ts';

const ESCAPE = '\u001b';

/** A terminal as far as a redrawn tree needs one: it keeps lines, moves up, and clears. */
class Emulated implements Screen {
  columns = 100;
  rows = 24;
  readonly lines: string[] = [''];
  #row = 0;
  #listeners = new Set<() => void>();

  readonly onResize = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  resize(columns: number, rows: number): void {
    Object.assign(this, { columns, rows });
    for (const listener of this.#listeners) listener();
  }

  readonly write = (text: string): void => {
    for (const [part] of text.matchAll(
      new RegExp(`${ESCAPE}\\[\\d*[A-Za-z]|[\\r\\n]|[^${ESCAPE}\\r\\n]+`, 'g'),
    )) {
      if (part === '\n') this.lines[++this.#row] ??= '';
      else if (part.endsWith('A') && part.startsWith(ESCAPE))
        this.#row = Math.max(0, this.#row - Number.parseInt(part.slice(2), 10));
      else if (part === `${ESCAPE}[2K`) this.lines[this.#row] = '';
      else if (part === `${ESCAPE}[0J`) this.lines.splice(this.#row, Number.POSITIVE_INFINITY, '');
      else if (part !== '\r') this.lines[this.#row] += part;
    }
  };
}

describe('a tree that is drawn in place', () => {
  const { rollout } = play(aWorld(), UNTIL_GATE).world;

  test('takes the place of what was drawn before', () => {
    const screen = new Emulated();
    screen.write('$ slipway\n');
    const view = treeView(screen.write, screen);
    view.show(rollout, START_MS);
    view.show({ ...rollout, message: 'changed' }, START_MS);
    expect(screen.lines.slice(0, 2)).toEqual(['$ slipway', drawTree(rollout, START_MS)[0]]);
    expect(screen.lines.filter(line => line.startsWith('NAME'))).toHaveLength(1);
    expect(screen.lines.join('\n')).toContain('v1: changed');
    expect(screen.lines).toHaveLength(8);
  });

  test('is drawn anew for another size, and no more once it is closed', () => {
    const screen = new Emulated();
    const view = treeView(screen.write, screen);
    view.show(rollout, START_MS);
    screen.resize(40, 24);
    for (const line of screen.lines) expect(line.length).toBeLessThan(40);
    view.close();
    const before = screen.lines.join('\n');
    screen.resize(80, 24);
    expect(screen.lines.join('\n')).toBe(before);
  });

  test('leaves what was drawn when it is told to', () => {
    const screen = new Emulated();
    const view = treeView(screen.write, screen);
    view.show(rollout, START_MS);
    view.keep();
    view.show(rollout, START_MS);
    expect(screen.lines.filter(line => line.startsWith('NAME'))).toHaveLength(2);
  });
});

test('a tree that is too high shows the wave in hand, and says how much is left out', () => {
  const [first] = aService().targets;
  if (!first) throw new Error('the service of the tests has no target');
  const names = Array.from({ length: 30 }, (_, index) => `t${index}`);
  const waves = [names.slice(0, 10), names.slice(10, 20), names.slice(20)];
  const targets = names.map(name => ({ ...first, name }));
  const service = aService({ targets, strategy: { ...aService().strategy, waves } });
  const { rollout } = aWorld(service);
  const second = { ...rollout, position: { wave: 1, step: 0 } };
  const tree = drawTree(second, START_MS);
  const fitted = fitTree(tree, second, 8);
  expect(fitted).toHaveLength(8);
  expect(fitted[0]).toMatch(/^NAME/);
  expect(fitted[2]).toMatch(/^├─ wave 2/);
  expect(fitted[3]).toMatch(/t10/);
  expect(fitted.at(-1)).toBe('… 28 more lines');
  expect(fitTree(tree, second, 50)).toEqual(tree);
});

test('elsewhere lines are appended, each entry of the history once', () => {
  let text = '';
  const view = lineView(more => {
    text += more;
  });
  const { rollout } = aWorld();
  view.show(rollout, START_MS);
  view.show(rollout, START_MS);
  view.show(note(rollout, START_MS + 1000, 'RolloutStarted', 'Starting\u001b[2J v1'), START_MS);
  expect(text).toBe(
    '09:00:00.000  Pending      v1 was pushed as sha256:aaaaaaaaaaaa, for hello\n09:00:01.000  Pending      Starting [2J v1\n',
  );
});

describe('on a narrow screen', () => {
  const { rollout } = play(aWorld(), UNTIL_GATE).world;
  const said = { ...rollout, message: 'Halt hello wave 1: canary success rate 80.00% of 50 requests' };

  test('what the tree has no room for stands below it', () => {
    const lines = drawScreen(said, START_MS, { columns: 60, rows: 24 });
    expect(lines.slice(0, -4)).toEqual(drawTree(said, START_MS, 60));
    expect(lines.slice(-4)).toEqual([
      '',
      'v1: Halt hello wave 1: canary success rate 80.00% of 50',
      'requests',
      'wave 1: step 4 of 4',
    ]);
  });

  test('a screen that is low, or wide enough, has the tree alone', () => {
    const low = drawScreen(said, START_MS, { columns: 60, rows: 6 });
    expect(low).toEqual(fitTree(drawTree(said, START_MS, 60), said, 6));
    const wide = drawScreen(said, START_MS, { columns: 200, rows: 24 });
    expect(wide).toEqual(drawTree(said, START_MS, 200));
  });
});
