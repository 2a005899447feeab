import { createServer } from 'node:net';
import { type Clock, sleep } from '../clock.ts';
import { type Command, type Failure, planCommand } from './command.ts';
import { cpuMs, type Metered } from './cpu.ts';
import type { InstanceState, Workload } from './dataplane.ts';
import { type ImageStore, PullError } from './images.ts';
import { type Exit, type NodeProcess, startNode } from './processes.ts';

export interface InstanceOptions {
  readonly images: ImageStore;
  readonly clock: Clock;
  /** `HOST:PORT` of the metadata server for the workload's location. */
  readonly metadataHost: () => Promise<string>;
  readonly startDeadlineMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopGraceMs: number;
  /** From `stop()` to SIGTERM, for requests that were sent here just before. */
  readonly drainMs: number;
}

/** Somebody else may take a port between the moment it was found free and the moment the instance listens on it. */
const MAX_PORT_ATTEMPTS = 5;

/** One run of an image, from pull to exit. It is never started again: that is the control planes' business. */
export class ProcessInstance implements Metered {
  readonly workload: Workload;
  readonly #options: InstanceOptions;
  readonly #listeners = new Set<(state: InstanceState) => void>();
  #state: InstanceState = { phase: 'pulling' };
  #process: NodeProcess | undefined;
  #stopping: Promise<void> | undefined;

  constructor(workload: Workload, options: InstanceOptions) {
    this.workload = workload;
    this.#options = options;
    this.#live().catch(error => {
      const message = error instanceof Error ? error.message : String(error);
      this.#fail({ reason: 'NotRunnable', message: `cannot start: ${message}`, lastLogLines: [] });
    });
  }

  state(): InstanceState {
    return this.#state;
  }

  onChange(listener: (state: InstanceState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  cpuMs(): number | undefined {
    const pid = this.#state.phase === 'ready' ? this.#process?.pid : undefined;
    return pid === undefined ? undefined : cpuMs(pid);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #live(): Promise<void> {
    const { images } = this.#options;
    const image = await images.pull(this.workload.image, this.workload.architecture).catch(error => {
      if (error instanceof PullError) return error;
      throw error;
    });
    if (image instanceof PullError) {
      return this.#fail({ reason: image.reason, message: image.message, lastLogLines: [] });
    }
    this.#become({ phase: 'starting' });
    const planned = await planCommand(image, this.workload);
    if (!planned.ok) return this.#fail(planned.failure);
    for (let attempt = 1; attempt <= MAX_PORT_ATTEMPTS; attempt++) {
      const failure = await this.#run(planned.command);
      const again = this.#state.phase === 'starting' && isPortTaken(failure) && attempt < MAX_PORT_ATTEMPTS;
      if (!again) return this.#fail(failure);
    }
  }

  /** Resolves when the process has ended, with what is to be said about that if nobody asked for it. */
  async #run(command: Command): Promise<Failure> {
    const [port, metadataHost] = await Promise.all([freePort(), this.#options.metadataHost()]);
    // All instances share this machine's ports, so a port that the workload itself asks for cannot be given.
    const env = { ...command.env, PORT: String(port), GCE_METADATA_HOST: metadataHost };
    if (this.#stopping) return { reason: 'Exited', message: 'stopped before it started', lastLogLines: [] };

    let overdue: string | undefined;
    let otherPort: number | undefined;
    const child = startNode({ ...command, env }, listening => {
      if (listening !== port) otherPort = listening;
      else if (!overdue) this.#becomeReady(port);
    });
    this.#process = child;
    const cancelDeadline = this.#options.clock.after(this.#options.startDeadlineMs, () => {
      if (this.#state.phase !== 'starting') return;
      overdue = notListening(port, otherPort, this.#options.startDeadlineMs);
      child.kill('SIGKILL');
    });
    const exit = await child.ended;
    cancelDeadline();
    return {
      reason: 'Exited',
      message: overdue ?? describeExit(exit),
      exitCode: exit.code,
      lastLogLines: child.lastLines(),
    };
  }

  #becomeReady(port: number): void {
    if (!this.#stopping) this.#become({ phase: 'ready', url: `http://127.0.0.1:${port}` });
  }

  async #stop(): Promise<void> {
    const { clock, drainMs, stopGraceMs } = this.#options;
    const child = this.#process;
    if (child) {
      if (this.#state.phase === 'ready') await Promise.race([sleep(clock, drainMs), child.ended]);
      child.kill('SIGTERM');
      const cancelKill = clock.after(stopGraceMs, () => child.kill('SIGKILL'));
      await child.ended;
      cancelKill();
    }
    this.#become({ phase: 'stopped' });
  }

  #fail(failure: Failure): void {
    if (!this.#stopping) this.#become({ phase: 'failed', ...failure });
  }

  #become(state: InstanceState): void {
    if (this.#state.phase === 'stopped') return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}

function isPortTaken(failure: Failure): boolean {
  return failure.lastLogLines.some(line => line.includes('EADDRINUSE'));
}

/** In Cloud Run's words. */
function notListening(port: number, otherPort: number | undefined, deadlineMs: number): string {
  const instead = otherPort === undefined ? '' : `; it listens on port ${otherPort} instead`;
  return (
    'The user-provided container failed to start and listen on the port defined provided by the ' +
    `PORT=${port} environment variable within the allocated timeout of ${deadlineMs / 1000} s${instead}.`
  );
}

function describeExit(exit: Exit): string {
  return exit.signal
    ? `Container terminated on signal ${exit.signal}.`
    : `Container called exit(${exit.code}).`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, () => {
      const address = server.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
