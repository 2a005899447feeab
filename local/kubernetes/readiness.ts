import type { Clock } from '../clock.ts';
import type { ContainerRuntime } from './container-runtime.ts';
import type { Container, Probe } from './objects.ts';

/** The HTTP status of a GET; rejects when there is no answer. */
export type HttpGet = (url: string) => Promise<number>;

/**
 * Which containers of a pod are ready: with a `readinessProbe.httpGet` when the last answer was 200 to 399, otherwise as
 * soon as the process listens. Without an HTTP client (virtual time) probes count as passed.
 */
export class Readiness {
  readonly #clock: Clock;
  readonly #httpGet: HttpGet | undefined;
  readonly #changed: () => void;
  readonly #passed = new Map<ContainerRuntime, string>();
  readonly #probes = new Map<ContainerRuntime, Probe>();
  readonly #cancels = new Map<ContainerRuntime, () => void>();
  #closed = false;

  constructor(
    containers: readonly Container[],
    runtimes: readonly ContainerRuntime[],
    clock: Clock,
    httpGet: HttpGet | undefined,
    changed: () => void,
  ) {
    this.#clock = clock;
    this.#httpGet = httpGet;
    this.#changed = changed;
    for (const runtime of runtimes) {
      const probe = containers.find(container => container.name === runtime.name)?.readinessProbe;
      if (!probe?.httpGet || !httpGet) continue;
      this.#probes.set(runtime, probe);
      this.#again(runtime, probe, (probe.initialDelaySeconds ?? 0) * 1000);
    }
  }

  isReady(runtime: ContainerRuntime): boolean {
    if (!runtime.url) return false;
    return !this.#probes.has(runtime) || this.#passed.get(runtime) === runtime.url;
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#cancels.values()) cancel();
  }

  #again(runtime: ContainerRuntime, probe: Probe, delayMs: number): void {
    const cancel = this.#clock.after(delayMs, () => void this.#ask(runtime, probe));
    this.#cancels.set(runtime, cancel);
  }

  async #ask(runtime: ContainerRuntime, probe: Probe): Promise<void> {
    const { url } = runtime;
    const before = this.#passed.get(runtime);
    if (url && (await this.#answers(`${url}${probe.httpGet?.path ?? '/'}`))) this.#passed.set(runtime, url);
    else this.#passed.delete(runtime);
    if (this.#closed) return;
    if (this.#passed.get(runtime) !== before) this.#changed();
    // Until it is up for the first time it is asked often: a pod need not wait out a whole period.
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    this.#again(runtime, probe, url && this.#passed.has(runtime) ? periodMs : Math.min(periodMs, 200));
  }

  async #answers(url: string): Promise<boolean> {
    try {
      const status = (await this.#httpGet?.(url)) ?? 0;
      return status >= 200 && status < 400;
    } catch {
      return false;
    }
  }
}
