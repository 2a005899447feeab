import type { Rollout, ServiceState } from '../../functions/rollout/record.ts';
import { realClock, sleep } from '../../local/clock.ts';
import { PROJECT } from '../../local/names.ts';
import { type Crowd, canaryOf, SHARED_IMAGE, STABLE_IMAGE, stableOf } from './crowd.ts';
import { gkeTraffic } from './gke-service.ts';

/** Somebody else's settings on the targets, which nothing may change. */
export const FOREIGN = { tag: 'theirs', label: 'blue', env: { name: 'THEIRS', value: 'kept' } } as const;

export interface Watched {
  readonly service: string;
  /** Cloud Run targets by name, with their regions. */
  readonly regions: Readonly<Record<string, string>>;
  /** Name of the GKE target. */
  readonly gke: string;
}

/** What one target routes to: what a rollout would call its canary there → percent. */
interface Seen {
  readonly target: string;
  readonly shares: Readonly<Record<string, number>>;
  readonly unready: readonly string[];
}

/** Looks at data plane and records all the time and remembers every moment at which a rule did not hold. */
export class Watcher {
  readonly violations = new Set<string>();
  looks = 0;
  readonly #crowd: Crowd;
  readonly #watched: Watched;
  #isOver = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(crowd: Crowd, watched: Watched) {
    this.#crowd = crowd;
    this.#watched = watched;
  }

  start(): void {
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await this.look();
      await sleep(realClock, 10);
    }
  }

  /**
   * Records are read before and after the targets: who was taken back before must get nothing, and nobody may have more
   * than the record allows after.
   */
  async look(): Promise<void> {
    this.looks++;
    const before = await this.#rollouts();
    const seen = this.#targets();
    const started = [...this.#crowd.dataPlane.imagesOf(this.#watched.service)];
    this.#checkForeign();
    const after = await this.#rollouts();
    for (const one of seen) {
      this.#checkSum(one);
      for (const rollout of before) this.#checkTakenBack(rollout, one);
      for (const rollout of after) this.#checkWeight(rollout, one);
    }
    this.#checkImages(started, after);
    for (const rollout of after) this.#checkDecisions(rollout);
  }

  #say(what: string): void {
    this.violations.add(what);
  }

  #rollouts(): Promise<Rollout[]> {
    return this.#crowd.world.rollouts(this.#watched.service);
  }

  #targets(): Seen[] {
    const { service, regions, gke } = this.#watched;
    const onRun = Object.entries(regions).map(([target, region]) => ({
      target,
      ...this.#crowd.traffic(service, region),
    }));
    return [...onRun, { target: gke, ...gkeTraffic(this.#crowd.world.cloud, service) }];
  }

  #nameOf(rollout: Rollout, target: string): string {
    return target === this.#watched.gke ? `${SHARED_IMAGE}@${rollout.digest}` : canaryOf(rollout);
  }

  #checkSum({ target, shares, unready }: Seen): void {
    const sum = Object.values(shares).reduce((total, share) => total + share, 0);
    if (Math.abs(sum - 100) > 0.01) this.#say(`${target}: traffic sums to ${sum}: ${JSON.stringify(shares)}`);
    for (const name of unready) this.#say(`${target}: ${name} gets traffic and is not ready`);
  }

  #checkTakenBack(rollout: Rollout, { target, shares }: Seen): void {
    const isTakenBack =
      rollout.phase === 'Degraded' || rollout.phase === 'Superseded' || rollout.phase === 'Rejected';
    const share = shares[this.#nameOf(rollout, target)] ?? 0;
    if (isTakenBack && share > 0)
      this.#say(`${target}: ${rollout.tag} is ${rollout.phase} and gets ${share} % (${rollout.message})`);
  }

  #checkWeight(rollout: Rollout, { target, shares }: Seen): void {
    const share = shares[this.#nameOf(rollout, target)] ?? 0;
    const allowed = allowedShare(rollout, target);
    if (share > allowed + 0.01)
      this.#say(
        `${target}: ${rollout.tag} gets ${share} % where ${allowed} % is allowed, at ${JSON.stringify(rollout.position)}`,
      );
  }

  /** Only digests that were verified run, and nothing runs by tag. */
  #checkImages(images: readonly string[], rollouts: readonly Rollout[]): void {
    const verified = rollouts.filter(({ verification }) => verification?.status === 'accepted');
    const allowed = new Set([STABLE_IMAGE, ...verified.map(({ digest }) => `${SHARED_IMAGE}@${digest}`)]);
    for (const image of images)
      if (!allowed.has(image)) this.#say(`${image} was started and is in no accepted record`);
  }

  #checkForeign(): void {
    const { service, regions } = this.#watched;
    const { run, kubernetes } = this.#crowd.world.cloud.cores;
    for (const [target, region] of Object.entries(regions)) {
      const found = run.getService({ project: PROJECT, region, service });
      const tagged = found.traffic?.find(({ tag }) => tag === FOREIGN.tag)?.revision;
      if (tagged !== stableOf(service)) this.#say(`${target}: the tag ${FOREIGN.tag} is on ${tagged}`);
      if (found.labels?.['team'] !== FOREIGN.label) this.#say(`${target}: the label is gone`);
      const env = found.template?.containers[0]?.env;
      if (!env?.some(({ name, value }) => name === FOREIGN.env.name && value === FOREIGN.env.value))
        this.#say(`${target}: the environment is ${JSON.stringify(env)}`);
    }
    const { metadata } = kubernetes.store.read('deployments', 'default', service);
    if (metadata.labels?.['team'] !== FOREIGN.label) this.#say('GKE: the label is gone');
  }

  /** Every gate is passed by one decision, and by none more than once. */
  #checkDecisions({ tag, history, spec, isFull }: Rollout): void {
    const promoted = history.flatMap(({ reason, message }) =>
      reason === 'RolloutPromoted' ? [message.slice(message.indexOf('wave'))] : [],
    );
    for (const gate of new Set(promoted)) {
      const times = promoted.filter(other => other === gate).length;
      if (times > 1) this.#say(`${tag}: ${gate} was promoted ${times} times`);
    }
    const aborted = history.filter(({ reason }) => reason === 'RolloutAborted').length;
    if (aborted > 1) this.#say(`${tag}: aborted ${aborted} times`);
    for (const { reason, message } of history) {
      const [, wave = '', step = ''] = /wave (\d+) step (\d+) completed/.exec(message) ?? [];
      const passed = spec.strategy.steps[Number(step) - 1];
      const isGate = passed !== undefined && 'pause' in passed && passed.pause.duration === undefined;
      if (reason !== 'RolloutStepCompleted' || !isGate || isFull) continue;
      if (!promoted.includes(`wave ${wave} step ${step}`)) this.#say(`${tag}: ${message} without promote`);
    }
  }
}

/** What the record lets a canary have: the highest weight of the steps up to the present one. */
function allowedShare({ spec, position, isFull }: Rollout, target: string): number {
  const wave = spec.strategy.waves.findIndex(members => members.includes(target));
  if (position.wave > wave) return 100;
  if (position.wave < wave) return 0;
  if (isFull || position.step >= spec.strategy.steps.length) return 100;
  const weights = spec.strategy.steps
    .slice(0, position.step + 1)
    .flatMap(step => ('setWeight' in step ? [step.setWeight] : []));
  return Math.max(0, ...weights);
}

/** What should serve everything on every target once all rollouts of the service are over: revision or image. */
export function expectedToServe(
  rollouts: readonly Rollout[],
  state: ServiceState | undefined,
  watched: Watched,
  target: string,
): string {
  const healthy = rollouts.find(({ id }) => id === state?.healthy);
  if (target === watched.gke) return healthy ? `${SHARED_IMAGE}@${healthy.digest}` : STABLE_IMAGE;
  return healthy ? canaryOf(healthy) : stableOf(watched.service);
}
