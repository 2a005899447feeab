import type { Clock } from '../clock.ts';
import type { DataPlane, Instance, InstanceState, Workload } from './dataplane.ts';

type Failed = Extract<InstanceState, { phase: 'failed' }>;

/**
 * A data plane without processes, for tests of the control planes in virtual time: what is started becomes ready after
 * `startMs`, unless `fails` says how it ends.
 */
export class InstantDataPlane implements DataPlane {
  readonly instances: InstantInstance[] = [];
  startMs = 100;
  fails: (workload: Workload) => Omit<Failed, 'phase' | 'lastLogLines'> | undefined = () => undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  run(workload: Workload): Instance {
    const instance = new InstantInstance(workload);
    this.instances.push(instance);
    this.#clock.after(this.startMs, () => {
      const failure = this.fails(workload);
      instance.become(
        failure
          ? { phase: 'failed', lastLogLines: [], ...failure }
          : { phase: 'ready', url: `http://${this.instances.indexOf(instance)}.instance.invalid` },
      );
    });
    return instance;
  }
}

class InstantInstance implements Instance {
  readonly workload: Workload;
  #state: InstanceState = { phase: 'starting' };
  readonly #listeners = new Set<(state: InstanceState) => void>();

  constructor(workload: Workload) {
    this.workload = workload;
  }

  state(): InstanceState {
    return this.#state;
  }

  onChange(listener: (state: InstanceState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(state: InstanceState): void {
    if (this.#state.phase === 'stopped') return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  async stop(): Promise<void> {
    this.become({ phase: 'stopped' });
  }
}
