import type { Rollout } from '../../functions/rollout/record.ts';
import type { LoadOutcome } from '../dataplane/load.ts';
import { measureFloor } from './floor.ts';
import { type ServedWeight, servedWeights } from './measure.ts';
import type { Stage } from './stage.ts';

export interface Outcome {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  readonly ok: boolean;
}

export interface Timing {
  /** What took it back. */
  readonly cause: string;
  readonly bad: number;
  readonly requests: number;
  readonly secondsFromFirstBadToCause: number;
  /** From the alert's message, or the verdict, to the last target confirmed. */
  readonly secondsFromCauseToRestored: number;
  /** The calls of one target in a row. */
  readonly floorSeconds: number;
}

/** What the scenarios measured. */
export interface Figures {
  weights: ServedWeight[];
  goodRollout: { seconds: number; requests: number; lost: number; gates: number } | undefined;
  rollbacks: (Timing & { version: string })[];
  seconds: number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Names, or their beginnings, of the scenarios it builds on. */
  readonly after: readonly string[];
  play(stage: Stage, figures: Figures): Promise<Omit<Outcome, 'name'>>;
}

/** The person at the gate has a look first. */
const AT_GATE_MS = 2000;

const TARGETS = ['us', 'eu', 'asia', 'arm'];
const REGIONS: Readonly<Record<string, string>> = {
  us: 'us-east4',
  eu: 'europe-west1',
  asia: 'asia-northeast1',
  arm: 'us-central1',
};

export const SCENARIOS: readonly Scenario[] = [
  {
    name: '1 first rollout',
    title: 'v1.0.0, the first rollout: nothing to compare with, straight to 100 % on all four targets',
    after: [],
    async play(stage) {
      await stage.push({ version: 'v1.0.0' });
      const rollout = await stage.watch('v1.0.0');
      stage.startUsers();
      const answered = await served(stage, Date.now(), 'v1.0.0');
      const ok =
        rollout.phase === 'Healthy' && answered.bad === 0 && answered.places.length === TARGETS.length;
      const expected = 'Healthy; v1.0.0 answers on 4 targets';
      return {
        expected,
        actual: `${rollout.phase}; v1.0.0 answers on ${answered.places.length} targets`,
        ok,
      };
    },
  },
  {
    name: '2 good canary',
    title: 'v1.1.0, good: 5 → 25 → 50 %, a gate opened by a Pub/Sub message, 100 %; wave by wave',
    after: ['1'],
    async play(stage, figures) {
      const sinceMs = Date.now();
      await stage.push({ version: 'v1.1.0' });
      const gates = new Set<string>();
      const rollout = await stage.watch('v1.1.0', async now => {
        const gate = now.phase === 'Paused' ? now.pause?.gate : undefined;
        const isSeen = Date.now() - (now.pause?.openedMs ?? 0) > AT_GATE_MS;
        if (gate && isSeen && !gates.has(gate)) {
          gates.add(gate);
          await stage.promote(gate);
        }
        return false;
      });
      const outcomes = stage.outcomesSince(sinceMs);
      const lost = outcomes.filter(isBad).length;
      const weights = servedWeights(rollout, outcomes, belongs);
      figures.weights = weights;
      figures.goodRollout = {
        seconds: seconds(rollout.createdMs, endOf(rollout)),
        requests: outcomes.length,
        lost,
        gates: gates.size,
      };
      const inBounds = weights.filter(({ ok }) => ok).length;
      const ok =
        rollout.phase === 'Healthy' &&
        gates.size === 2 &&
        lost === 0 &&
        weights.length === 12 &&
        inBounds === weights.length;
      return {
        expected: 'Healthy; 2 gates; 0 requests lost; 12 of 12 weights within binomial bounds',
        actual: `${rollout.phase}; ${gates.size} gates; ${lost} of ${outcomes.length} requests lost; ${inBounds} of ${weights.length} weights within binomial bounds`,
        ok,
      };
    },
  },
  {
    name: '3a bad, judge off',
    title:
      'v1.2.0 fails one request in five and the judge is off: at 50 % the SLO alert takes everything back',
    after: ['1', '2'],
    async play(stage, figures) {
      await stage.setJudge(false);
      const expected = 'Degraded by the SLO alert at 50 %; stable serves again';
      return playBad(
        stage,
        figures,
        'v1.2.0',
        expected,
        rollout => rollout.cause?.kind === 'Alert' && highestWeight(rollout) === 50,
      );
    },
  },
  {
    name: '3b bad, judge on',
    title: 'v1.2.1, same fault, judge on: Failed at 5 %, restored before any alert notices',
    after: ['1', '2'],
    async play(stage, figures) {
      await stage.setJudge(true);
      const expected = 'Degraded by the judge at 5 %, no alert; stable serves again';
      return playBad(stage, figures, 'v1.2.1', expected, rollout => {
        // One that opens before the canary serves is about v1.2.0, which was before it.
        const serving = rollout.history.findIndex(({ reason }) => reason === 'TrafficWeightUpdated');
        const since = rollout.history.slice(Math.max(serving, 0));
        const alerted = since.some(({ message }) => /SLO alert .* opened/.test(message));
        return rollout.cause?.kind === 'Judge' && highestWeight(rollout) === 5 && !alerted;
      });
    },
  },
  {
    name: '4 one platform',
    title: 'v1.3.0 was built for amd64 alone: refused at the door',
    after: [],
    async play(stage) {
      await stage.push({ version: 'v1.3.0', platforms: ['linux/amd64'] });
      const rollout = await stage.watch('v1.3.0');
      const untouched = Object.values(rollout.targets).every(({ isTouched }) => !isTouched);
      const ok = rollout.phase === 'Rejected' && rollout.message.includes('linux/arm64') && untouched;
      return { expected: 'Rejected: no linux/arm64', actual: `${rollout.phase}: ${rollout.message}`, ok };
    },
  },
  {
    name: '5 quarantine',
    title: "v1.2.0's digest under a new tag: in quarantine, nothing starts",
    after: ['1', '2', '3a'],
    async play(stage) {
      await stage.retag('v1.2.0', 'v1.4.0');
      const rollout = await stage.watch('v1.4.0');
      const ok =
        rollout.phase === 'Rejected' &&
        rollout.message.includes('quarantine') &&
        rollout.launch === undefined;
      return {
        expected: 'Rejected: quarantine, no execution',
        actual: `${rollout.phase}: ${rollout.message}`,
        ok,
      };
    },
  },
];

async function playBad(
  stage: Stage,
  figures: Figures,
  version: string,
  expected: string,
  isAsExpected: (rollout: Rollout) => boolean,
): Promise<Omit<Outcome, 'name'>> {
  const sinceMs = Date.now();
  await stage.push({ version, env: { FAIL_RATIO: '0.2' } });
  const rollout = await stage.watch(version);
  const after = await served(stage, Date.now(), 'v1.1.0');
  const outcomes = stage.outcomesSince(sinceMs);
  const bad = outcomes.filter(isBad);
  const causedMs = causeMs(stage, rollout);
  const restoredMs = Math.max(
    ...rollout.history.filter(({ reason }) => reason === 'TargetRestored').map(({ atMs }) => atMs),
  );
  const timing: Timing = {
    cause: rollout.cause?.kind ?? 'none',
    bad: bad.length,
    requests: outcomes.length,
    secondsFromFirstBadToCause: seconds(bad[0]?.atMs ?? Number.NaN, causedMs),
    secondsFromCauseToRestored: seconds(causedMs, restoredMs),
    floorSeconds: await measureFloor(stage.cloud.env, rollout, TARGETS[0] ?? ''),
  };
  figures.rollbacks.push({ version, ...timing });
  const restored = after.bad === 0 && after.places.length === TARGETS.length;
  const ok = rollout.phase === 'Degraded' && isAsExpected(rollout) && restored;
  const actual = `${rollout.phase} by ${rollout.cause?.kind} at ${highestWeight(rollout)} %; ${bad.length} bad of ${outcomes.length}; v1.1.0 answers on ${after.places.length} targets`;
  return { expected, actual, ok };
}

/** When the verdict was given, or the alert's message was published. */
function causeMs(stage: Stage, { cause }: Rollout): number {
  const { incidents } = stage.cloud.cores.monitoring;
  const incident = incidents.find(({ id }) => cause?.message.includes(`(incident ${id})`));
  return incident?.openedMs ?? cause?.atMs ?? Number.NaN;
}

const CONFIRMING_REQUESTS = 200;

/** Waits for a number of answers that were asked for after `sinceMs` and counts where `version` gave them. */
async function served(
  stage: Stage,
  sinceMs: number,
  version: string,
): Promise<{ bad: number; places: string[] }> {
  let outcomes: LoadOutcome[] = [];
  await stage.until('requests to be answered', () => {
    outcomes = stage.outcomesSince(sinceMs);
    return outcomes.length >= CONFIRMING_REQUESTS;
  });
  const bad = outcomes.filter(outcome => isBad(outcome) || outcome.version !== version).length;
  const places = TARGETS.filter(target =>
    outcomes.some(outcome => belongs(target, outcome) && outcome.version === version),
  );
  return { bad, places };
}

function belongs(target: string, { region }: LoadOutcome): boolean {
  return region === REGIONS[target];
}

function isBad({ status }: LoadOutcome): boolean {
  return status === undefined || status >= 500;
}

function highestWeight(rollout: Rollout): number {
  const weights = rollout.history.map(({ message }) =>
    Number(/canary weight (\d+)$/.exec(message)?.[1] ?? 0),
  );
  return Math.max(0, ...weights);
}

function endOf(rollout: Rollout): number {
  return rollout.history.find(({ reason }) => reason === 'RolloutCompleted')?.atMs ?? Number.NaN;
}

function seconds(fromMs: number, toMs: number): number {
  return Math.round((toMs - fromMs) / 100) / 10;
}
