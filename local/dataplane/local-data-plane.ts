import type { Registry } from '../../functions/image/registry.ts';
import type { Clock } from '../clock.ts';
import { type HttpServer, serve } from '../http.ts';
import { type Metered, meterCpu, type OnCpu } from './cpu.ts';
import type { DataPlane, Instance, Workload } from './dataplane.ts';
import { ImageStore } from './images.ts';
import { ProcessInstance } from './instance.ts';
import { metadataHandler } from './metadata.ts';

export interface LocalDataPlaneOptions {
  readonly registry: Registry;
  /** Unpacked images; may be kept from run to run. */
  readonly cacheDir: string;
  readonly clock: Clock;
  /** What the workloads' metadata server says. */
  readonly project: string;
  readonly projectNumber?: string;
  readonly startDeadlineMs?: number;
  readonly stopGraceMs?: number;
  readonly drainMs?: number;
  /** What becomes of the CPU that workloads use, and how often it is looked at. */
  readonly cpu?: { readonly everyMs: number; readonly onCpu: OnCpu };
}

/** Cloud Run's TCP startup probe waits this long unless told otherwise. */
const START_DEADLINE_MS = 240_000;
/** Cloud Run's time between SIGTERM and SIGKILL. */
const STOP_GRACE_MS = 10_000;
const DRAIN_MS = 200;

/** Runs pushed images as processes of this machine. */
export class LocalDataPlane implements DataPlane {
  readonly #options: LocalDataPlaneOptions;
  readonly #images: ImageStore;
  readonly #instances = new Set<Metered>();
  readonly #stopMeter: () => void;
  readonly #metadataServers = new Map<string, Promise<HttpServer>>();

  constructor(options: LocalDataPlaneOptions) {
    this.#options = options;
    this.#images = new ImageStore(options.registry, options.cacheDir);
    const { clock, cpu } = options;
    this.#stopMeter = cpu ? meterCpu(this.#instances, clock, cpu.everyMs, cpu.onCpu) : () => {};
  }

  run(workload: Workload): Instance {
    const { clock, startDeadlineMs, stopGraceMs, drainMs } = this.#options;
    const instance = new ProcessInstance(workload, {
      images: this.#images,
      clock,
      metadataHost: async () => `127.0.0.1:${(await this.#metadataServer(workload.location)).port}`,
      startDeadlineMs: startDeadlineMs ?? START_DEADLINE_MS,
      stopGraceMs: stopGraceMs ?? STOP_GRACE_MS,
      drainMs: drainMs ?? DRAIN_MS,
    });
    this.#instances.add(instance);
    instance.onChange(({ phase }) => {
      if (phase === 'failed' || phase === 'stopped') this.#instances.delete(instance);
    });
    return instance;
  }

  /** Resolves when every process is gone and every port of the data plane is free again. */
  async stopAll(): Promise<void> {
    this.#stopMeter();
    await Promise.all([...this.#instances].map(instance => instance.stop()));
    const servers = [...this.#metadataServers.values()];
    this.#metadataServers.clear();
    await Promise.all(servers.map(async server => (await server).close()));
  }

  #metadataServer(location: string): Promise<HttpServer> {
    const running = this.#metadataServers.get(location);
    if (running) return running;
    const { project, projectNumber = '123456789012' } = this.#options;
    const server = serve(metadataHandler({ project, projectNumber, location }));
    this.#metadataServers.set(location, server);
    return server;
  }
}
