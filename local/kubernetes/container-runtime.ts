import type { Clock } from '../clock.ts';
import type { DataPlane, Instance, InstanceState, Workload } from '../dataplane/dataplane.ts';
import { type ContainerState, type ContainerStatus, timestamp } from './objects.ts';

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
/** A container that ran this long starts again without waiting. */
const BACKOFF_FORGOTTEN_MS = 600_000;
/** Until a failed pull is shown as waiting for its next try. */
const PULL_ERROR_SHOWN_MS = 1_000;

type Failed = Extract<InstanceState, { phase: 'failed' }>;

/** One container of a pod: starts it on the data plane, and again whenever it ends, with the kubelet's backoff. */
export class ContainerRuntime {
  readonly name: string;
  readonly #workload: Workload;
  readonly #clock: Clock;
  readonly #dataPlane: DataPlane;
  readonly #changed: () => void;
  #instance: Instance | undefined;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #restartCount = 0;
  #backoffMs = 0;
  #startedMs = 0;
  #state: ContainerState = { waiting: { reason: 'ContainerCreating' } };
  #lastState: ContainerState = {};
  #previousLog: readonly string[] = [];
  #stopped = false;

  constructor(name: string, workload: Workload, clock: Clock, dataPlane: DataPlane, changed: () => void) {
    this.name = name;
    this.#workload = workload;
    this.#clock = clock;
    this.#dataPlane = dataPlane;
    this.#changed = changed;
    this.#start();
  }

  /** Where its process listens; undefined while it does not. */
  get url(): string | undefined {
    const state = this.#instance?.state();
    return state?.phase === 'ready' ? state.url : undefined;
  }

  /** The last lines of the container that ended last; of a running one the data plane keeps none. */
  log(previous: boolean): readonly string[] {
    return previous || !this.#state.running ? this.#previousLog : [];
  }

  hasEnded(): boolean {
    return this.#lastState.terminated !== undefined || this.#state.terminated !== undefined;
  }

  status(isReady: boolean): ContainerStatus {
    const running = this.#state.running !== undefined;
    return {
      name: this.name,
      image: this.#workload.image,
      imageID: running ? this.#workload.image : '',
      ready: running && isReady,
      started: running,
      restartCount: this.#restartCount,
      state: this.#state,
      lastState: this.#lastState,
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    this.#unsubscribe();
    await this.#instance?.stop();
  }

  #start(): void {
    this.#startedMs = this.#clock.nowMs();
    const instance = this.#dataPlane.run(this.#workload);
    this.#instance = instance;
    this.#unsubscribe = instance.onChange(state => {
      if (!this.#stopped && this.#instance === instance) this.#follow(state);
    });
    this.#follow(instance.state());
  }

  #follow(state: InstanceState): void {
    if (state.phase === 'ready') this.#become({ running: { startedAt: timestamp(this.#clock.nowMs()) } });
    if (state.phase !== 'failed') return;
    this.#unsubscribe();
    if (state.reason === 'ImagePull' || state.reason === 'NoMatchForPlatform') this.#pullFailed(state);
    else this.#ended(state);
  }

  #pullFailed(failure: Failed): void {
    const { image } = this.#workload;
    const { message } = failure;
    this.#become({ waiting: { reason: 'ErrImagePull', message } });
    const waitMs = Math.max(this.#backoffMs, FIRST_BACKOFF_MS);
    this.#backoffMs = longer(waitMs);
    this.#cancelTimer = this.#clock.after(PULL_ERROR_SHOWN_MS, () => {
      this.#become({
        waiting: {
          reason: 'ImagePullBackOff',
          message: `Back-off pulling image "${image}": ErrImagePull: ${message}`,
        },
      });
      this.#cancelTimer = this.#clock.after(waitMs - PULL_ERROR_SHOWN_MS, () => this.#start());
    });
  }

  #ended(failure: Failed): void {
    const exitCode = failure.exitCode ?? 1;
    const terminated = {
      exitCode,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      message: failure.message,
      startedAt: timestamp(this.#startedMs),
      finishedAt: timestamp(this.#clock.nowMs()),
    };
    this.#previousLog = failure.lastLogLines.length > 0 ? failure.lastLogLines : [failure.message];
    this.#lastState = { terminated };
    const ranLong = this.#clock.nowMs() - this.#startedMs > BACKOFF_FORGOTTEN_MS;
    const waitMs = ranLong ? 0 : this.#backoffMs;
    this.#backoffMs = longer(waitMs);
    this.#cancelTimer = this.#clock.after(waitMs, () => this.#restart());
    // The kubelet starts it again at once, for the first time; from then on it waits longer and longer.
    if (waitMs === 0) {
      this.#become({ terminated });
      return;
    }
    const message = `back-off ${waitMs / 1000}s restarting failed container=${this.name} pod=${this.#workload.name}`;
    this.#become({ waiting: { reason: 'CrashLoopBackOff', message } });
  }

  #restart(): void {
    this.#restartCount++;
    this.#start();
  }

  #become(state: ContainerState): void {
    this.#state = state;
    this.#changed();
  }
}

function longer(backoffMs: number): number {
  return Math.min(Math.max(backoffMs * 2, FIRST_BACKOFF_MS), LONGEST_BACKOFF_MS);
}
