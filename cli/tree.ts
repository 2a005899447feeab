import { isFirst } from '../functions/rollout/plan.ts';
import type { Phase, Rollout, TargetState, TargetStatus } from '../functions/rollout/record.ts';
import { type Colour, type Painter, printable } from './output.ts';
import { cut, pad, widthOf, wrapped } from './width.ts';

export { printable } from './output.ts';

type Mark = '✔' | '✖' | '◌' | '॥' | '⚠' | '◷';

const PHASE_MARK: Readonly<Record<Phase, Mark>> = {
  Pending: '◷',
  Progressing: '◌',
  Paused: '॥',
  RollingBack: '⚠',
  Healthy: '✔',
  Degraded: '✖',
  Rejected: '✖',
  Superseded: '✖',
};

const STATUS_MARK: Readonly<Record<TargetStatus, Mark>> = {
  Waiting: '◷',
  Armed: '◷',
  Deploying: '◌',
  Ready: '◌',
  Shifting: '◌',
  Canary: '✔',
  Promoting: '◌',
  Promoted: '✔',
  Settled: '✔',
  Restoring: '⚠',
  Restored: '✔',
  Failed: '✖',
};

const MARK_COLOUR: Readonly<Record<Mark, Colour>> = {
  '✔': 'green',
  '✖': 'red',
  '◌': 'bold',
  '॥': 'yellow',
  '⚠': 'yellow',
  '◷': 'dim',
};

/** `✔ Healthy` */
export function marked(phase: Phase, paint: Painter = plain): string {
  return paint(MARK_COLOUR[PHASE_MARK[phase]], `${PHASE_MARK[phase]} ${phase}`);
}

const HEADER = ['NAME', 'KIND', 'STATUS', 'WEIGHT', 'ARCH', 'AGE', 'INFO'];

/** No name is wider than this. */
const WIDEST_CELL = 60;
const STATUS = HEADER.indexOf('STATUS');

/**
 * A rollout as a tree: rollout, waves, targets; one line each, the header first. No line takes more than `width` columns,
 * which cuts INFO first.
 */
export function drawTree(rollout: Rollout, nowMs: number, width = 120, paint: Painter = plain): string[] {
  const rows = [HEADER, rolloutRow(rollout, nowMs), ...waveRows(rollout, nowMs)].map(row =>
    row.map((cell, column) =>
      column < row.length - 1 ? cut(printable(cell), WIDEST_CELL) : printable(cell),
    ),
  );
  const widths = HEADER.map((_, column) => Math.max(...rows.map(row => widthOf(row[column] ?? ''))));
  return rows.map(row => {
    const cells = row.slice(0, -1).map((cell, column) => pad(cell, widths[column] ?? 0));
    const line = cut(`${cells.join('  ')}  ${row.at(-1) ?? ''}`.trimEnd(), width);
    return painted(line, row[STATUS] ?? '', paint);
  });
}

function painted(line: string, status: string, paint: Painter): string {
  const colour = Object.entries(MARK_COLOUR).find(([mark]) => status.startsWith(`${mark} `))?.[1];
  return colour ? line.replace(status, () => paint(colour, status)) : line;
}

function plain(_colour: Colour, text: string): string {
  return text;
}

/** Of each text that the tree has no room for. */
const MOST_LINES = 3;

/** Fewer lines say nothing of the targets. */
const LEAST_ROWS = 5;

/** The tree on a screen: what it cuts off of the rollout and of the wave in hand stands below it, where there is room. */
export function drawScreen(
  rollout: Rollout,
  nowMs: number,
  { columns, rows }: { readonly columns: number; readonly rows: number },
  paint: Painter = plain,
): string[] {
  const tree = drawTree(rollout, nowMs, columns, paint);
  const { waves } = rollout.spec.strategy;
  const wave = Math.min(rollout.position.wave, waves.length - 1);
  const texts = [
    [1, infoOf(rollout)],
    [2 + linesBefore(rollout, wave), `wave ${wave + 1}: ${waveInfo(rollout, wave)}`],
  ] as const;
  const below = texts.flatMap(([line, text]) =>
    tree[line]?.endsWith('…') ? wrapped(printable(text), columns, MOST_LINES) : [],
  );
  const room = rows - below.length - 1;
  return below.length > 0 && room >= LEAST_ROWS
    ? [...fitTree(tree, rollout, room), '', ...below]
    : fitTree(tree, rollout, rows);
}

function linesBefore({ spec }: Rollout, wave: number): number {
  return spec.strategy.waves.slice(0, wave).reduce((sum, members) => sum + members.length + 1, 0);
}

/** As many lines of a tree as there is room for: its head, and the waves from the one in hand. */
export function fitTree(lines: readonly string[], rollout: Rollout, rows: number): string[] {
  if (lines.length <= rows) return [...lines];
  const [header = '', first = '', ...rest] = lines;
  const before = linesBefore(rollout, rollout.position.wave);
  const room = Math.max(1, rows - 3);
  const from = Math.max(0, Math.min(before, rest.length - room));
  const left = rest.length - room;
  return [header, first, ...rest.slice(from, from + room), `… ${left} more lines`].slice(
    0,
    Math.max(2, rows),
  );
}

function rolloutRow(rollout: Rollout, nowMs: number): string[] {
  const status = `${PHASE_MARK[rollout.phase]} ${rollout.phase}`;
  return [rollout.id, 'Rollout', status, '', '', age(nowMs - rollout.createdMs), infoOf(rollout)];
}

function infoOf({ tag, message }: Rollout): string {
  return `${tag}: ${message}`;
}

function waveRows(rollout: Rollout, nowMs: number): string[][] {
  const { waves } = rollout.spec.strategy;
  return waves.flatMap((members, wave) => {
    const isLastWave = wave === waves.length - 1;
    const row = [
      `${isLastWave ? '└─' : '├─'} wave ${wave + 1}`,
      'Wave',
      '',
      '',
      '',
      '',
      waveInfo(rollout, wave),
    ];
    const targets = members.map((name, index) => {
      const branch = `${isLastWave ? '  ' : '│ '} ${index === members.length - 1 ? '└─' : '├─'} ${name}`;
      return targetRow(rollout, name, branch, nowMs);
    });
    return [row, ...targets];
  });
}

function waveInfo(rollout: Rollout, wave: number): string {
  const { position, spec } = rollout;
  const steps = spec.strategy.steps.length;
  if (rollout.phase === 'Healthy' || wave < position.wave) return 'done';
  if (wave > position.wave || isFirst(rollout.targets)) return '';
  const place = position.step < steps ? `step ${position.step + 1} of ${steps}` : 'promotion';
  const { judgement } = rollout;
  return judgement ? `${place}, ${judgement.verdict}: ${judgement.message}` : place;
}

function targetRow(rollout: Rollout, name: string, branch: string, nowMs: number): string[] {
  const target = rollout.targets[name];
  const spec = rollout.spec.targets.find(one => one.name === name);
  const kind = spec?.cloudRun ? 'CloudRun' : 'GKE';
  if (!target) return [branch, kind, '', '', '', '', ''];
  const status = `${STATUS_MARK[target.status]} ${target.status}`;
  return [
    branch,
    kind,
    status,
    weight(target),
    target.architecture ?? '',
    age(nowMs - target.sinceMs),
    target.message,
  ];
}

function weight({ weight: percent, isTouched }: TargetState): string {
  return isTouched ? `${percent}%` : '';
}

export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.round(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (minutes < 120) return `${minutes}m`;
  return hours < 48 ? `${hours}h` : `${Math.round(hours / 24)}d`;
}

/** `wave 1 of 2, step 3 of 4: …` */
export function placeOf({ phase, position, spec, message }: Rollout): string {
  const { waves, steps } = spec.strategy;
  if (phase !== 'Progressing' && phase !== 'Paused') return message;
  if (position.wave >= waves.length) return message;
  const step = position.step < steps.length ? `step ${position.step + 1} of ${steps.length}` : 'promotion';
  return `wave ${position.wave + 1} of ${waves.length}, ${step}: ${message}`;
}
