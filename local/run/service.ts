import type { Clock } from '../clock.ts';
import { ApiError } from '../http.ts';
import { type Readiness, serviceConditions } from './conditions.ts';
import { sameSettings } from './mask.ts';
import { revisionName, type ServiceKey, serviceName } from './names.ts';
import type { Operation, Status } from './operations.ts';
import { Revision, type RevisionEnvironment } from './revision.ts';
import { isLatest, revisionOf, routedRevisions, servedTraffic, trafficInForce } from './traffic.ts';
import { validateMetadata, validateTemplate, validateTraffic } from './validation.ts';
import type {
  Condition,
  RevisionTemplate,
  ServiceResource,
  ServiceSettings,
  TrafficTarget,
  TrafficTargetStatus,
} from './wire.ts';

export interface ServiceEnvironment extends RevisionEnvironment {
  /** From the moment that all revisions can serve to the moment that requests follow, in milliseconds. */
  readonly routeMs: number;
  readonly tagUrl: (tag: string) => string;
  readonly url: string;
}

/** A change that passed validation. */
export interface Plan {
  readonly settings: ServiceSettings & { readonly template: RevisionTemplate };
  /** Short name of the revision that it makes. */
  readonly revision: string | undefined;
  readonly changesNothing: boolean;
}

/** One service: its settings, and the reconciler that makes the traffic follow them. */
export class Service {
  readonly key: ServiceKey;
  readonly revisions = new Map<string, Revision>();
  readonly #environment: ServiceEnvironment;
  readonly #clock: Clock;
  readonly #createTime: string;
  #settings: ServiceSettings = {};
  #generation = 0;
  #observedGeneration = 0;
  #version = 0;
  #updateTime: string;
  #latestCreated: string | undefined;
  #latestReady: string | undefined;
  #statuses: readonly TrafficTargetStatus[] = [];
  #reconciling = false;
  #configurations: Readiness = { phase: 'pending', message: 'Deploying Revision.' };
  #routes: Readiness = { phase: 'pending', message: 'Waiting for the first revision.' };
  #transitionTime: string;
  #operations: { readonly operation: Operation; readonly error: Status | undefined }[] = [];
  #cancelApply: (() => void) | undefined;

  constructor(key: ServiceKey, environment: ServiceEnvironment) {
    this.key = key;
    this.#environment = environment;
    this.#clock = environment.clock;
    this.#createTime = this.#now();
    this.#updateTime = this.#createTime;
    this.#transitionTime = this.#createTime;
  }

  get settings(): ServiceSettings {
    return this.#settings;
  }

  get etag(): string {
    return `"${Buffer.from(`${this.key.service}/${this.#version}`).toString('base64url')}"`;
  }

  /** What gets requests now. */
  get statuses(): readonly TrafficTargetStatus[] {
    return this.#statuses;
  }

  /** Validates a change without making it. */
  plan(settings: ServiceSettings): Plan {
    const { service } = this.key;
    validateMetadata(settings);
    const template = withDefaults(validateTemplate(service, settings.template));
    const next = { ...settings, template };
    const revision = this.#newRevision(template);
    validateTraffic(service, next.traffic, name => name === revision || this.revisions.has(name));
    return { settings: next, revision, changesNothing: sameSettings(this.#settings, next) };
  }

  /** Makes a change; `operation` ends when the service has followed it, with `error` if one is given. */
  commit(plan: Plan, operation: Operation, error?: Status): void {
    this.#operations.push({ operation, error });
    if (plan.changesNothing) {
      if (!this.#reconciling) this.#finishOperations();
      return;
    }
    this.#settings = plan.settings;
    this.#generation++;
    this.#version++;
    this.#updateTime = this.#now();
    this.#reconciling = true;
    this.#setRoutes({ phase: 'pending', message: 'Routing traffic.' });
    this.#cancelApply?.();
    this.#cancelApply = undefined;
    if (plan.revision) this.#createRevision(plan.revision, plan.settings.template);
    this.#reconcile();
  }

  async remove(): Promise<void> {
    this.#cancelApply?.();
    this.#statuses = [];
    this.#reconciling = false;
    await Promise.all([...this.revisions.values()].map(revision => revision.remove()));
    this.#finishOperations();
  }

  async removeRevision(name: string): Promise<void> {
    const revision = this.revisions.get(name);
    this.revisions.delete(name);
    await revision?.remove();
  }

  resource(): ServiceResource {
    const { terminal, conditions } = this.#conditions();
    const fullName = (revision: string | undefined) => revision && revisionName(this.key, revision);
    return {
      ...this.#settings,
      traffic: [...trafficInForce(this.#settings.traffic)],
      name: serviceName(this.key),
      uid: `${this.key.project}-${this.key.region}-${this.key.service}`,
      generation: String(this.#generation),
      observedGeneration: String(this.#observedGeneration),
      createTime: this.#createTime,
      updateTime: this.#updateTime,
      creator: 'local@slipway.dev',
      lastModifier: 'local@slipway.dev',
      terminalCondition: terminal,
      conditions,
      latestReadyRevision: fullName(this.#latestReady),
      latestCreatedRevision: fullName(this.#latestCreated),
      trafficStatuses: this.#statuses,
      uri: this.#environment.url,
      urls: [this.#environment.url],
      reconciling: this.#reconciling,
      etag: this.etag,
    };
  }

  /** Name of the revision that the template asks for; undefined when it exists already. */
  #newRevision(template: RevisionTemplate): string | undefined {
    if (sameSettings(this.#settings.template, template)) return undefined;
    if (!template.revision) return this.#generatedName();
    const existing = this.revisions.get(template.revision);
    if (!existing) return template.revision;
    if (sameSettings(existing.template, template)) return undefined;
    throw new ApiError(
      'ALREADY_EXISTS',
      `Revision named '${template.revision}' with different configuration already exists.`,
    );
  }

  #generatedName(): string {
    const number = this.#generation + 1;
    const letters = [...(number * 2_654_435_761).toString(36)].filter(letter => letter >= 'a').join('');
    return `${this.key.service}-${String(number).padStart(5, '0')}-${`${letters}xyz`.slice(0, 3)}`;
  }

  #createRevision(name: string, template: RevisionTemplate): void {
    const revision = new Revision(this.key, name, this.#generation, template, this.#environment, () =>
      this.#reconcile(),
    );
    this.revisions.set(name, revision);
    this.#latestCreated = name;
  }

  /** Compares what is asked for with what serves, and does or awaits what is missing. Called after every change of either. */
  #reconcile(): void {
    if (!this.#reconciling) return;
    this.#latestReady = [...this.revisions.values()].findLast(({ state }) => state.phase === 'ready')?.name;
    const targets = this.#targets();
    this.#keepRunning(targets);
    this.#configurations = this.#configurationsReadiness();
    const routes = this.#routesReadiness(targets);
    if (routes.phase !== 'ready') {
      this.#setRoutes(routes);
      if (routes.phase === 'failed' && this.#configurations.phase !== 'pending') this.#settle();
      return;
    }
    this.#cancelApply ??= this.#clock.after(this.#environment.routeMs, () => this.#applyRoutes());
  }

  #applyRoutes(): void {
    this.#cancelApply = undefined;
    const targets = this.#targets();
    if (this.#routesReadiness(targets).phase !== 'ready') {
      this.#reconcile();
      return;
    }
    this.#statuses = servedTraffic(targets, this.#latestReady, this.#environment.tagUrl);
    this.#keepRunning(targets);
    this.#setRoutes({ phase: 'ready' });
    if (this.#configurations.phase !== 'pending') this.#settle();
  }

  /** The targets with LATEST replaced by the revision it means now. */
  #targets(): readonly TrafficTarget[] {
    return trafficInForce(this.#settings.traffic).map(target => ({
      ...target,
      revision: revisionOf(target, this.#latestReady),
    }));
  }

  /** Starts what is going to serve before it does, and stops what does not serve any more after it stopped doing so. */
  #keepRunning(targets: readonly TrafficTarget[]): void {
    const asked = routedRevisions(targets);
    const served = routedRevisions(this.#statuses);
    for (const revision of this.revisions.values()) {
      revision.route(asked.has(revision.name) || served.has(revision.name));
    }
  }

  #configurationsReadiness(): Readiness {
    const created = this.#latestCreated === undefined ? undefined : this.revisions.get(this.#latestCreated);
    if (created?.state.phase === 'failed') return notReady(created);
    if (created?.state.phase === 'pending') return { phase: 'pending', message: 'Deploying Revision.' };
    return { phase: 'ready' };
  }

  #routesReadiness(targets: readonly TrafficTarget[]): Readiness {
    const served = routedRevisions(this.#statuses);
    let waiting: string | undefined;
    for (const target of targets) {
      const revision = target.revision === undefined ? undefined : this.revisions.get(target.revision);
      if (!revision) {
        if (isLatest(target) && this.#configurations.phase === 'failed') return this.#configurations;
        waiting = 'the first revision';
      } else if (revision.state.phase === 'failed') {
        return notReady(revision);
      } else if (revision.state.phase === 'pending' || (!revision.url && !served.has(revision.name))) {
        waiting = `revision '${revision.name}'`;
      }
    }
    return waiting
      ? { phase: 'pending', message: `Waiting for ${waiting} to be ready.` }
      : { phase: 'ready' };
  }

  #setRoutes(routes: Readiness): void {
    this.#routes = routes;
    this.#transitionTime = this.#now();
  }

  #settle(): void {
    this.#reconciling = false;
    this.#transitionTime = this.#now();
    const { terminal } = this.#conditions();
    if (terminal.state === 'CONDITION_SUCCEEDED') this.#observedGeneration = this.#generation;
    this.#finishOperations();
  }

  #finishOperations(): void {
    const { terminal } = this.#conditions();
    const failure: Status | undefined =
      terminal.state === 'CONDITION_FAILED' ? { code: 9, message: terminal.message ?? '' } : undefined;
    for (const { operation, error } of this.#operations.splice(0)) operation.finish(error ?? failure);
  }

  #conditions(): { terminal: Condition; conditions: readonly Condition[] } {
    return serviceConditions(this.#configurations, this.#routes, this.#transitionTime);
  }

  #now(): string {
    return new Date(this.#clock.nowMs()).toISOString();
  }
}

function notReady(revision: Revision): Readiness {
  const refusal = revision.state.phase === 'failed' ? revision.state.refusal : { message: '' };
  const message = `Revision '${revision.name}' is not ready and cannot serve traffic. ${refusal.message}`;
  return { phase: 'failed', refusal: { ...refusal, message } };
}

/** What Cloud Run fills in where a template says nothing. */
function withDefaults(template: RevisionTemplate): RevisionTemplate {
  return {
    ...template,
    timeout: template['timeout'] || '300s',
    maxInstanceRequestConcurrency: template['maxInstanceRequestConcurrency'] || 80,
    containers: template.containers.map((container, _, all) => ({
      ...container,
      ports:
        container.ports?.length || all.length > 1
          ? container.ports
          : [{ name: 'http1', containerPort: 8080 }],
    })),
  };
}
