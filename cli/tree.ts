import { isFirst } from '../functions/rollout/plan.ts';
import type { Phase, Rollout, TargetState, TargetStatus } from '../functions/rollout/record.ts';
import { printable } from './output.ts';

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

const HEADER = ['NAME', 'KIND', 'STATUS', 'WEIGHT', 'ARCH', 'AGE', 'INFO'];

/** A rollout as a tree: rollout, waves, targets; one line each, the header first. INFO is cut to `width` columns. */
export function drawTree(rollout: Rollout, nowMs: number, width = 120): string[] {
  const rows = [HEADER, rolloutRow(rollout, nowMs), ...waveRows(rollout, nowMs)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)));
  return rows.map(row => {
    const cells = row.slice(0, -1).map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return `${cells.join('  ')}  ${printable(row.at(-1) ?? '')}`.slice(0, width).trimEnd();
  });
}

function rolloutRow(rollout: Rollout, nowMs: number): string[] {
  const status = `${PHASE_MARK[rollout.phase]} ${rollout.phase}`;
  const info = `${rollout.tag}: ${rollout.message}`;
  return [rollout.id, 'Rollout', status, '', '', age(nowMs - rollout.createdMs), info];
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
  return minutes < 120 ? `${minutes}m` : `${Math.round(minutes / 60)}h`;
}
