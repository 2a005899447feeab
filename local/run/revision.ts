import type { Clock } from '../clock.ts';
import type { DataPlane, Instance } from '../dataplane/dataplane.ts';
import {
  type Refusal,
  type RevisionState,
  refusalOf,
  revisionConditions,
  startupRefusal,
} from './conditions.ts';
import { revisionName, type ServiceKey, serviceName } from './names.ts';
import type { Container, RevisionResource, RevisionTemplate } from './wire.ts';

export interface RevisionEnvironment {
  readonly clock: Clock;
  readonly dataPlane: DataPlane;
  /** Refuses an image before it is started, as Binary Authorization or a missing permission does. */
  readonly admit: (image: string, key: ServiceKey) => Refusal | undefined;
  /** Longest time between start and listening, in milliseconds. */
  readonly startupTimeoutMs: number;
  /** From the last routed request's end to the stop of the instance, in milliseconds. */
  readonly drainMs: number;
  /** Pause before a container that ended by itself is started again, in milliseconds. */
  readonly restartMs: number;
}

/** One revision and its one instance, which runs while the revision is routed or still has to show that it can start. */
export class Revision {
  readonly name: string;
  readonly template: RevisionTemplate;
  readonly generation: number;
  readonly #key: ServiceKey;
  readonly #environment: RevisionEnvironment;
  readonly #changed: () => void;
  readonly #createTime: string;
  #updateTime: string;
  #state: RevisionState = { phase: 'pending' };
  #routed = false;
  #instance: Instance | undefined;
  #cancelTimer: () => void = () => {};
  /** Settles when the processes of all instances that were stopped are gone. */
  #stopped: Promise<unknown> = Promise.resolve();

  /** `changed` is called when the revision's state or its instance changes. */
  constructor(
    key: ServiceKey,
    name: string,
    generation: number,
    template: RevisionTemplate,
    environment: RevisionEnvironment,
    changed: () => void,
  ) {
    this.#key = key;
    this.name = name;
    this.generation = generation;
    this.template = template;
    this.#environment = environment;
    this.#changed = changed;
    this.#createTime = this.#now();
    this.#updateTime = this.#createTime;
    const refusal = template.containers
      .map(container => environment.admit(container.image, key))
      .find(found => found !== undefined);
    if (refusal) this.#environment.clock.after(0, () => this.#become({ phase: 'failed', refusal }));
    else this.#start();
  }

  get state(): RevisionState {
    return this.#state;
  }

  /** Where its instance listens; undefined while there is none. */
  get url(): string | undefined {
    const state = this.#instance?.state();
    return state?.phase === 'ready' ? state.url : undefined;
  }

  /** Says whether requests may come. The instance of a revision without any is stopped after the drain time. */
  route(routed: boolean): void {
    if (this.#routed === routed) return;
    this.#routed = routed;
    if (this.#state.phase !== 'ready') return;
    this.#cancelTimer();
    if (!routed) this.#stopLater();
    else if (!this.#instance) this.#start();
  }

  /** Stops the instance for good; resolves when its process is gone. */
  async remove(): Promise<void> {
    this.#routed = false;
    this.#cancelTimer();
    this.#stop();
    await this.#stopped;
  }

  resource(): RevisionResource {
    const { revision: _, labels, annotations, ...settings } = this.template;
    return {
      ...settings,
      name: revisionName(this.#key, this.name),
      uid: `${this.name}-uid`,
      generation: '1',
      observedGeneration: '1',
      service: serviceName(this.#key),
      createTime: this.#createTime,
      updateTime: this.#updateTime,
      labels,
      annotations,
      conditions: revisionConditions(this.#state, this.#routed, this.#updateTime),
      reconciling: this.#state.phase === 'pending',
      logUri: `https://console.cloud.google.com/logs/viewer?project=${this.#key.project}&resource=cloud_run_revision/service_name/${this.#key.service}/revision_name/${this.name}`,
      etag: `"${this.name}-${this.#updateTime}"`,
    };
  }

  #start(): void {
    const { dataPlane, clock, startupTimeoutMs } = this.#environment;
    const container = ingressContainer(this.template);
    const instance = dataPlane.run({
      name: `${this.name} ${this.#key.region}`,
      image: container.image,
      architecture: 'amd64',
      location: this.#key.region,
      env: this.#env(container),
      command: container.command?.length ? container.command : undefined,
      args: container.args?.length ? container.args : undefined,
      consumer: {
        by: { kind: 'cloudRun', ...this.#key, revision: this.name },
        cpus: CPUS,
      },
    });
    this.#instance = instance;
    this.#cancelTimer = clock.after(startupTimeoutMs, () => {
      this.#fail(instance, startupRefusal(portOf(container), ''));
    });
    instance.onChange(state => {
      if (instance !== this.#instance) return;
      if (state.phase === 'ready') this.#started();
      if (state.phase === 'failed')
        this.#fail(instance, refusalOf(state, container.image, portOf(container)));
    });
  }

  #started(): void {
    this.#cancelTimer();
    if (!this.#routed) this.#stopLater();
    this.#become({ phase: 'ready' });
  }

  #stopLater(): void {
    this.#cancelTimer = this.#environment.clock.after(this.#environment.drainMs, () => this.#stop());
  }

  /** A revision that was ready stays ready: its container is started again, as on the platform. */
  #fail(instance: Instance, refusal: Refusal): void {
    if (instance !== this.#instance) return;
    this.#cancelTimer();
    this.#stop();
    if (this.#state.phase !== 'ready') {
      this.#become({ phase: 'failed', refusal });
      return;
    }
    this.#changed();
    this.#cancelTimer = this.#environment.clock.after(this.#environment.restartMs, () => {
      if (this.#routed) this.#start();
    });
  }

  #stop(): void {
    const instance = this.#instance;
    this.#instance = undefined;
    if (instance) this.#stopped = Promise.allSettled([this.#stopped, instance.stop()]);
  }

  #become(state: RevisionState): void {
    this.#state = state;
    this.#updateTime = this.#now();
    this.#changed();
  }

  #env(container: Container): Record<string, string> {
    const own = (container.env ?? []).map(({ name, value }) => [name, value ?? '']);
    const platform = {
      K_SERVICE: this.#key.service,
      K_REVISION: this.name,
      K_CONFIGURATION: this.#key.service,
    };
    return { ...Object.fromEntries(own), ...platform };
  }

  #now(): string {
    return new Date(this.#environment.clock.nowMs()).toISOString();
  }
}

/** Of an instance, unless its service says otherwise. */
const CPUS = 1;

/** The container that gets the requests: of several, the one with a port. */
export function ingressContainer(template: RevisionTemplate): Container {
  const chosen = template.containers.find(container => container.ports?.length) ?? template.containers[0];
  if (!chosen) throw new Error('a template without containers passed validation');
  return chosen;
}

function portOf(container: Container): number {
  return container.ports?.[0]?.containerPort ?? 8080;
}
