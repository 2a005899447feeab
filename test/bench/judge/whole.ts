import { type Evidence, type Judgement, judge, type Setting } from '../../../functions/rollout/judge.ts';
import type { Block } from '../../../functions/rollout/observed.ts';
import { randomFrom } from './random.ts';
import type { Minute } from './rules.ts';
import { MINUTES, minutesOf, quickJudge, type Scene, settingOf } from './watch.ts';

/** Looks every minute, as a rollout does, until there is such a verdict; undefined when there is none in a day. */
export function lookUntil(
  verdict: Judgement['verdict'],
  next: () => Minute,
  setting: Setting,
  weight: number,
): { readonly minute: number; readonly requests: number } | undefined {
  let before: Evidence | undefined;
  let blocks: Block[] = [];
  for (let minute = 1; minute <= MINUTES; minute++) {
    const nowMs = minute * 60_000;
    blocks = blocks.filter(({ endMs }) => endMs > (before?.untilMs ?? 0));
    blocks.push(blockOf(next(), nowMs));
    const target = { architecture: undefined, weight: weight * 100, blocks };
    const { judgement, evidence } = judge(
      before,
      { targets: { us: target }, newestPointMs: nowMs },
      setting,
      nowMs,
    );
    before = evidence;
    const { canary } = judgement;
    if (judgement.verdict === verdict) return { minute, requests: canary.good + canary.bad };
  }
  return undefined;
}

function blockOf(minute: Minute, endMs: number): Block {
  return {
    endMs,
    canary: { good: minute.canaryGood, bad: minute.canaryBad },
    stable: { good: minute.stableGood, bad: minute.stableBad },
  };
}

/** Where the quick judge of this bench and the judge do not fail a canary in the same minute. */
export function differences(scenes: readonly Scene[], canaries: number): string[] {
  const found: string[] = [];
  for (const [number, scene] of scenes.entries()) {
    for (let canary = 0; canary < canaries; canary++) {
      const setting = settingOf(canary % 2);
      const minutes = () => minutesOf(scene, randomFrom(number, canary, 1));
      const whole = lookUntil('Failed', minutes(), setting, scene.weight)?.minute;
      const quick = quickUntilFailed(minutes(), setting);
      if (whole !== quick) found.push(`${JSON.stringify(scene)}: minute ${whole}, quick ${quick}`);
    }
  }
  return found;
}

function quickUntilFailed(next: () => Minute, setting: Setting): number | undefined {
  const isFailed = quickJudge(setting);
  for (let minute = 1; minute <= MINUTES; minute++) if (isFailed(next())) return minute;
  return undefined;
}
