import { applyCommand } from '../../functions/rollout/commands.ts';
import { blame, judge, type VerdictName } from '../../functions/rollout/judge.ts';
import { NONE, sum } from '../../functions/rollout/judging/sight.ts';
import type { Block, Counts, Observed } from '../../functions/rollout/observed.ts';
import { freeze } from '../../functions/rollout/pauses.ts';
import { lookSeconds, type RemainingStep, remainingWaves } from '../../functions/rollout/plan.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { isRollingOut, type Rollout } from '../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../functions/rollout/state.ts';
import { trouble } from '../../functions/rollout/trouble.ts';
import { span } from '../../functions/rollout/wording.ts';
import type { World } from '../../functions/rollout/world.ts';
import { type AlertTarget, EVALUATE_EVERY_MS, type FiredAlert, firing, Ledger } from './alerts.ts';
import { begun } from './begun.ts';
import type { ReplayedTarget, Traffic } from './traffic.ts';

export interface ReplayRules {
  /** How late metrics are seen. */
  readonly lagMs: number;
  /** How long a person takes to promote at a gate. */
  readonly gateMs: number;
  /** Whether an alert takes the rollout back, or is only noted. */
  readonly alertsAct: boolean;
}

/** What became of a rollout. Times are milliseconds since it began. */
export interface Replayed {
  /**
   * promoted: on every target, and its rollback window went by or nothing is known of it. stopped: taken back. waiting: a
   * person is needed who does not come. unknown: the requests end before anything is decided.
   */
  readonly outcome: 'promoted' | 'stopped' | 'waiting' | 'unknown';
  readonly atMs: number;
  readonly rollout: Rollout;
  /** All that the canary had answered by then, seen by the judge or not. */
  readonly canary: Counts;
  readonly stable: Counts;
  readonly steps: readonly ReplayedStep[];
  /** The first time of each. */
  readonly alerts: readonly FiredAlert[];
  /** The canary's requests up to a time. */
  readonly canaryUntil: (atMs: number) => Counts;
}

export interface ReplayedStep {
  /** Both count from 1. */
  readonly wave: number;
  readonly step: number;
  /** `setWeight 25`, `pause 10m`, `gate`, `promote` */
  readonly what: string;
  readonly weight: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly verdict: VerdictName | undefined;
  /** As the judge saw it last. */
  readonly canary: Counts;
  readonly stable: Counts;
  readonly limit: number | undefined;
}

/** So long it is watched whether the judge lets a rollout go on by itself that waits for a person. */
const PATIENCE_MS = 3_600_000;
/** What {@link blame} looks at. */
const BLAME_MS = 600_000;
const SOMEBODY = 'somebody@replay';

/**
 * Lets a rollout of the service go its way in virtual time: the state machine and the judge are those of production, the
 * requests are given. Deploying and shifting weights take no time, and no window of the policy holds it.
 */
export function replayRollout(spec: Service, traffic: Traffic, rules: ReplayRules): Replayed {
  const replay = new Replay({ ...spec, windows: [] }, traffic, rules);
  replay.run();
  return replay.result();
}

class Replay {
  readonly #spec: Service;
  readonly #traffic: Traffic;
  readonly #rules: ReplayRules;
  readonly #lookMs: number;
  readonly #tickMs: number;
  readonly #blocks: Map<string, Block[]>;
  readonly #ledgers: Map<string, Ledger>;
  /** By target, since when its wave serves. */
  readonly #serves = new Map<string, number>();
  readonly #steps: ReplayedStep[] = [];
  readonly #alerts = new Map<string, FiredAlert>();
  #world: World;
  #nowMs = 0;
  #evaluatedMs = 0;
  #isExhausted = false;

  constructor(spec: Service, traffic: Traffic, rules: ReplayRules) {
    this.#spec = spec;
    this.#traffic = traffic;
    this.#rules = rules;
    this.#lookMs = lookSeconds(spec) * 1000;
    // A whole number of ticks makes a look, and none is longer than an alert's evaluation.
    this.#tickMs = this.#lookMs / Math.ceil(this.#lookMs / EVALUATE_EVERY_MS);
    this.#blocks = new Map(spec.targets.map(({ name }) => [name, []]));
    this.#ledgers = new Map(spec.targets.map(({ name }) => [name, new Ledger()]));
    this.#world = begun(spec);
  }

  run(): void {
    for (const { wave, targets, steps } of remainingWaves(this.#rollout())) {
      this.#deploy(targets);
      for (const step of steps) {
        const from = this.#nowMs;
        const isDone =
          step.kind === 'setWeight' ? this.#setWeight(wave, targets, step) : this.#wait(wave, step);
        this.#note(wave, step, from);
        if (!isDone) return;
      }
      this.#promote(wave, targets);
      this.#apply({ type: 'waveEnded', wave });
    }
    this.#apply({ type: 'completed' });
    this.#watchWindow();
  }

  result(): Replayed {
    const rollout = this.#rollout();
    const blocks = [...this.#blocks.values()].flat();
    const canaryUntil = (atMs: number) =>
      sum(blocks.filter(({ endMs }) => endMs <= atMs).map(({ canary }) => canary));
    return {
      outcome: this.#outcome(),
      atMs: this.#nowMs,
      rollout,
      canary: canaryUntil(this.#nowMs),
      stable: sum(blocks.filter(({ endMs }) => endMs <= this.#nowMs).map(({ stable }) => stable)),
      steps: this.#steps,
      alerts: [...this.#alerts.values()].sort((a, b) => a.atMs - b.atMs),
      canaryUntil,
    };
  }

  #outcome(): Replayed['outcome'] {
    const { phase } = this.#rollout();
    if (phase === 'RollingBack') return 'stopped';
    if (phase === 'Healthy') return 'promoted';
    return phase === 'Paused' && !this.#isExhausted ? 'waiting' : 'unknown';
  }

  #rollout(): Rollout {
    return this.#world.rollout;
  }

  #apply(event: RolloutEvent): void {
    this.#world = transition(this.#world, event, this.#nowMs).world;
  }

  #deploy(targets: readonly string[]): void {
    for (const target of targets) {
      for (const stage of ['deploy', 'probe'] as const) {
        this.#apply({ type: 'starting', target, stage });
        this.#apply({ type: 'progressed', target, stage, progress: { status: 'done', message: 'replayed' } });
      }
    }
  }

  #setWeight(
    wave: number,
    targets: readonly string[],
    { step, weight }: Extract<RemainingStep, { kind: 'setWeight' }>,
  ): boolean {
    for (const target of targets) {
      if (!this.#serves.has(target)) this.#serves.set(target, this.#nowMs);
      const shift = { target, stage: 'weight', weight } as const;
      this.#apply({ type: 'starting', ...shift });
      this.#apply({ type: 'progressed', ...shift, progress: { status: 'done', message: 'replayed' } });
    }
    this.#apply({ type: 'stepped', position: { wave, step } });
    return true;
  }

  #promote(wave: number, targets: readonly string[]): void {
    const fromMs = this.#nowMs;
    for (const target of targets) {
      if (!this.#serves.has(target)) this.#serves.set(target, fromMs);
      this.#apply({ type: 'starting', target, stage: 'promote', weight: 100 });
      const progress = { status: 'done', message: 'replayed' } as const;
      this.#apply({ type: 'progressed', target, stage: 'promote', weight: 100, progress });
    }
    const step = this.#spec.strategy.steps.length + 1;
    const seen = { verdict: undefined, canary: NONE, stable: NONE, limit: undefined };
    const times = { fromMs, untilMs: fromMs };
    this.#steps.push({ wave: wave + 1, step, what: 'promote', weight: 100, ...times, ...seen });
  }

  /** @returns whether it goes on */
  #wait(wave: number, { step }: RemainingStep): boolean {
    const position = { wave, step };
    let waitsSinceMs: number | undefined;
    for (;;) {
      this.#openGate();
      this.#apply({ type: 'looked', position, ...this.#judged(), callback: undefined });
      const { phase, position: now } = this.#rollout();
      if (phase === 'RollingBack') return false;
      if (now.wave !== wave || now.step !== step) return true;
      waitsSinceMs = this.#needsPerson() ? (waitsSinceMs ?? this.#nowMs) : undefined;
      if (waitsSinceMs !== undefined && this.#nowMs - waitsSinceMs >= PATIENCE_MS) {
        this.#nowMs = waitsSinceMs;
        return false;
      }
      const nextMs = this.#nowMs + this.#lookMs;
      while (this.#nowMs < nextMs - 1e-6) {
        this.#tick();
        if (!isRollingOut(this.#rollout())) return false;
      }
      if (!this.#isKnown()) {
        this.#isExhausted = true;
        return false;
      }
    }
  }

  /** Who does not come: at a gate somebody does. */
  #needsPerson(): boolean {
    const { phase, pause, heldBy } = this.#rollout();
    return phase === 'Paused' && (heldBy !== undefined || pause?.untilMs !== undefined);
  }

  /** A person comes to a gate, and to no other pause. */
  #openGate(): void {
    const { pause, heldBy, id, service } = this.#rollout();
    if (!pause || pause.untilMs !== undefined || pause.promotedBy || heldBy !== undefined) return;
    if (this.#nowMs - pause.openedMs < this.#rules.gateMs) return;
    const command = {
      command: 'promote',
      id: `${id} ${pause.gate}`,
      service,
      actor: SOMEBODY,
      full: false,
    } as const;
    this.#world = applyCommand(this.#world, command, this.#nowMs).world;
  }

  #judged() {
    const { servingSinceMs, evidence, position, spec } = this.#rollout();
    const { judge: rules, slo, strategy } = spec;
    if (rules === 'off' || servingSinceMs === undefined)
      return { judgement: undefined, evidence, blamed: undefined };
    const setting = { rules, availability: slo.availability, waves: strategy.waves.length };
    const members = strategy.waves[position.wave] ?? [];
    const observed = this.#observed(members, evidence?.untilMs ?? Number.NEGATIVE_INFINITY);
    const judged = judge(evidence, observed, setting, this.#nowMs);
    const isBurn = judged.judgement.verdict === 'Failed' && judged.judgement.because === 'burn';
    const blamed = isBurn && strategy.onBurn === 'attribute' ? this.#blamed() : undefined;
    return { ...judged, blamed };
  }

  /** As the metrics would have it now. */
  #observed(members: readonly string[], sinceMs: number): Observed {
    const knownMs = this.#nowMs - this.#rules.lagMs;
    const { targets } = this.#rollout();
    const known = members.map(name => ({
      name,
      blocks: (this.#blocks.get(name) ?? []).filter(
        ({ endMs }) => endMs <= knownMs && endMs > (this.#serves.get(name) ?? Infinity),
      ),
    }));
    const newest = Math.max(...known.map(({ blocks }) => blocks.at(-1)?.endMs ?? Number.NEGATIVE_INFINITY));
    return {
      targets: Object.fromEntries(
        known.map(({ name, blocks }) => {
          const { architecture, weight = 0 } = targets[name] ?? {};
          return [name, { architecture, weight, blocks: blocks.filter(({ endMs }) => endMs > sinceMs) }];
        }),
      ),
      newestPointMs: Number.isFinite(newest) ? newest : undefined,
    };
  }

  #blamed() {
    const { judge: rules, slo, strategy } = this.#spec;
    if (rules === 'off') return 'unsure';
    const members = strategy.waves[this.#rollout().position.wave] ?? [];
    const setting = { rules, availability: slo.availability, waves: strategy.waves.length };
    return blame(this.#observed(members, this.#nowMs - BLAME_MS), setting, this.#nowMs);
  }

  #tick(): void {
    const fromMs = this.#nowMs;
    const toMs = fromMs + this.#tickMs;
    for (const target of this.#targets()) {
      for (const block of this.#traffic.blocks(target, fromMs, toMs)) {
        this.#blocks.get(target.name)?.push(block);
        this.#ledgers.get(target.name)?.add(block);
      }
    }
    this.#nowMs = toMs;
    if (toMs - this.#evaluatedMs < EVALUATE_EVERY_MS - 1e-6) return;
    this.#evaluatedMs = toMs;
    this.#evaluate();
  }

  #targets(): ReplayedTarget[] {
    const { targets } = this.#rollout();
    const { waves } = this.#spec.strategy;
    return this.#spec.targets.map(({ name }) => ({
      name,
      servesSinceMs: this.#serves.get(name),
      weight: targets[name]?.weight ?? 0,
      members: waves.find(wave => wave.includes(name))?.length ?? 1,
    }));
  }

  #evaluate(): void {
    const targets = this.#targets().map((target): AlertTarget => {
      const spec = this.#spec.targets.find(({ name }) => name === target.name);
      return {
        wayIn: spec?.cloudRun ? 'Cloud Run' : 'Gateway',
        ledger: this.#ledgers.get(target.name) ?? new Ledger(),
        beginsMs: this.#traffic.beginsMs(target),
        before: this.#traffic.before(target.name),
      };
    });
    const knownMs = this.#nowMs - this.#rules.lagMs;
    for (const alert of firing(targets, this.#spec, knownMs, this.#nowMs)) {
      const key = `${alert.policy.name} ${alert.wayIn}`;
      if (this.#alerts.has(key)) continue;
      this.#alerts.set(key, alert);
      if (this.#rules.alertsAct) this.#act(alert);
    }
  }

  /** As the function `sloAlert` does. */
  #act({ policy, message }: FiredAlert): void {
    const said = `SLO alert ${policy.name}: ${message}`;
    const { rollout } = this.#world;
    const mayBeEverybody = this.#spec.strategy.onBurn === 'attribute' && isRollingOut(rollout);
    if (mayBeEverybody && this.#blamed() === 'everybody') {
      this.#world = { ...this.#world, rollout: freeze(rollout, 'an SLO alert', said, this.#nowMs) };
      return;
    }
    this.#world = trouble(this.#world, { kind: 'Alert', message: said }, this.#nowMs).world;
  }

  /** For a while after promotion an alert still takes it back. */
  #watchWindow(): void {
    const promotedMs = this.#nowMs;
    const endMs = this.#rollout().windowEndsMs ?? promotedMs;
    while (this.#nowMs < endMs && this.#isKnown() && this.#rollout().phase === 'Healthy') this.#tick();
    if (this.#rollout().phase === 'Healthy') this.#nowMs = promotedMs;
  }

  /** Whether there is anything that the metrics do not show yet. */
  #isKnown(): boolean {
    const { position, spec } = this.#rollout();
    const members = spec.strategy.waves[position.wave] ?? spec.targets.map(({ name }) => name);
    return this.#targets().some(
      target =>
        members.includes(target.name) &&
        this.#traffic.endsMs(target) + this.#rules.lagMs + this.#lookMs > this.#nowMs,
    );
  }

  #note(wave: number, { step, ...what }: RemainingStep, fromMs: number): void {
    const { judgement, targets } = this.#rollout();
    const [first = ''] = this.#spec.strategy.waves[wave] ?? [];
    const judged = what.kind === 'pause' ? judgement : undefined;
    this.#steps.push({
      wave: wave + 1,
      step: step + 1,
      what: describe(this.#spec, step),
      weight: targets[first]?.weight ?? 0,
      fromMs,
      untilMs: this.#nowMs,
      verdict: judged?.verdict,
      canary: judged?.canary ?? NONE,
      stable: judged?.stable ?? NONE,
      limit: judged?.limit,
    });
  }
}

function describe({ strategy }: Service, index: number): string {
  const step = strategy.steps[index];
  if (step && 'setWeight' in step) return `setWeight ${step.setWeight}`;
  const seconds = step?.pause.duration;
  return seconds === undefined ? 'gate' : `pause ${span(seconds)}`;
}
