import type { Clock } from '../clock.ts';
import type { ServedRequest, UsedCpu } from '../dataplane/dataplane.ts';
import { ApiError, type HttpReply } from '../http.ts';
import { PolicyWatch } from './alerting.ts';
import { Collection } from './collection.ts';
import { checkThreshold } from './conditions.ts';
import { type Incident, testNotification } from './incidents.ts';
import { Notifier, type Publish } from './notifier.ts';
import { type PrometheusQuery, queryPrometheus } from './prometheus.ts';
import { parseSeriesFilter } from './filter.ts';
import { CPU_METRICS } from './metrics.ts';
import { parseQuery, queryTimeSeries } from './query.ts';
import {
  channelSchema,
  type Policy,
  policySchema,
  type Service,
  type Slo,
  serviceSchema,
  sloSchema,
} from './resources.ts';
import { parseBurnRateSelector } from './slo.ts';
import type { TimeSeries } from './time-series.ts';
import { Traffic, Usage } from './traffic.ts';

export interface MonitoringOptions {
  readonly clock: Clock;
  /** Where notification channels lead: Pub/Sub. */
  readonly publish: Publish;
  /** Length of one point. Default 60 s, as the real services write them. */
  readonly samplePeriodMs?: number;
  /** How long after its end a point can first be read. Default 120 s, the longest that the real services promise. */
  readonly visibleAfterMs?: number;
  /** How often alert policies are evaluated. Default 60 s. */
  readonly evaluateEveryMs?: number;
  /** Default 25 h, the longest that an alert policy looks back. */
  readonly retentionMs?: number;
}

/** Time series of what was served, SLOs over them, and alert policies that open and close incidents. */
export class MonitoringCore {
  readonly samplePeriodMs: number;
  readonly services = new Collection(serviceSchema);
  readonly slos = new Collection(sloSchema);
  readonly channels = new Collection(channelSchema);
  readonly policies = new Collection(policySchema, policy => this.#completePolicy(policy));
  readonly notifier: Notifier;
  readonly #clock: Clock;
  readonly #traffic: Traffic;
  readonly #usage: Usage;
  readonly #evaluateEveryMs: number;
  readonly #watches = new Map<string, PolicyWatch>();
  readonly #incidents: Incident[] = [];
  #ids = 0;
  #cancelEvaluation: () => void = () => {};

  constructor(options: MonitoringOptions) {
    this.#clock = options.clock;
    this.samplePeriodMs = options.samplePeriodMs ?? 60_000;
    const sampling = {
      samplePeriodMs: this.samplePeriodMs,
      visibleAfterMs: options.visibleAfterMs ?? 120_000,
      retentionMs: options.retentionMs ?? 25 * 3_600_000,
    };
    this.#traffic = new Traffic(sampling);
    this.#usage = new Usage(sampling);
    this.#evaluateEveryMs = options.evaluateEveryMs ?? 60_000;
    this.notifier = new Notifier(options.publish, name => this.channels.find(name));
    this.#scheduleEvaluation();
  }

  record(served: ServedRequest): void {
    this.#traffic.record(served);
  }

  recordCpu(used: UsedCpu): void {
    this.#usage.record(used);
  }

  /** `query` as in the query string of `timeSeries.list`. */
  listTimeSeries(project: string, query: URLSearchParams): TimeSeries[] {
    const parsed = parseQuery(project, query, this.samplePeriodMs);
    const { metricType } = parseSeriesFilter(parsed.filter);
    const measured = CPU_METRICS.has(metricType) ? this.#usage : this.#traffic;
    return queryTimeSeries(measured, parsed, this.#clock.nowMs());
  }

  /** PromQL, with Prometheus's own answers and errors. */
  queryPrometheus(query: PrometheusQuery): HttpReply {
    return queryPrometheus(this.#traffic, query, this.#clock.nowMs());
  }

  /** Of all policies, oldest first, open and closed. */
  get incidents(): readonly Incident[] {
    return this.#incidents;
  }

  createService(project: string, id: string | undefined, body: unknown): Service {
    return this.services.create(`projects/${project}/services/${id ?? this.#newId()}`, body);
  }

  deleteService(name: string): void {
    this.services.delete(name);
    for (const slo of this.slos.list(name)) this.slos.delete(slo.name);
  }

  createSlo(service: string, id: string | undefined, body: unknown): Slo {
    this.services.get(service);
    return this.slos.create(`${service}/serviceLevelObjectives/${id ?? this.#newId()}`, body);
  }

  createChannel(project: string, body: unknown) {
    return this.channels.create(`projects/${project}/notificationChannels/${this.#newId()}`, body);
  }

  /** With `force` policies lose it too; without, one that is in use stays. */
  deleteChannel(name: string, force: boolean): void {
    this.channels.get(name);
    const project = name.split('/').slice(0, 2).join('/');
    const users = this.policies.list(project).filter(policy => policy.notificationChannels.includes(name));
    if (users[0] && !force) {
      throw new ApiError(
        'FAILED_PRECONDITION',
        `${name} is used by ${users[0].name}; delete it with force=true.`,
      );
    }
    for (const policy of users) {
      const notificationChannels = policy.notificationChannels.filter(channel => channel !== name);
      this.updatePolicy(policy.name, { notificationChannels }, 'notificationChannels');
    }
    this.channels.delete(name);
  }

  createPolicy(project: string, body: unknown): Policy {
    const policy = this.policies.create(`projects/${project}/alertPolicies/${this.#newId()}`, body);
    this.#watches.set(policy.name, new PolicyWatch(policy, () => this.#newIncidentId()));
    return policy;
  }

  updatePolicy(name: string, patch: Readonly<Record<string, unknown>>, mask: string): Policy {
    const policy = this.policies.update(name, patch, mask);
    this.#watches.get(name)?.change(policy);
    return policy;
  }

  /** Its open incident goes with it, without a notification. */
  deletePolicy(name: string): void {
    this.policies.delete(name);
    const incident = this.#watches.get(name)?.openIncident;
    if (incident) incident.closedMs = this.#clock.nowMs();
    this.#watches.delete(name);
  }

  /** As the console's "Send test notification". */
  sendTestNotification(channel: string): void {
    this.notifier.send(this.channels.get(channel), testNotification());
  }

  /** Evaluates every policy now; it also happens by itself. */
  evaluate(): void {
    const nowMs = this.#clock.nowMs();
    for (const watch of this.#watches.values()) {
      const changed = watch.evaluate({
        traffic: this.#traffic,
        findSlo: name => this.slos.find(name),
        project: watch.policy.name.split('/')[1] ?? '',
        nowMs,
        samplePeriodMs: this.samplePeriodMs,
      });
      if (changed) this.notifier.changed(changed, nowMs);
      if (changed && changed.closedMs === undefined) this.#incidents.push(changed);
      if (watch.openIncident) this.notifier.remind(watch.openIncident, nowMs);
    }
    void this.notifier.flush();
  }

  stop(): void {
    this.#cancelEvaluation();
    this.#cancelEvaluation = () => {};
  }

  #scheduleEvaluation(): void {
    this.#cancelEvaluation = this.#clock.after(this.#evaluateEveryMs, () => {
      this.#scheduleEvaluation();
      this.evaluate();
    });
  }

  #completePolicy(policy: Policy): Policy {
    for (const channel of policy.notificationChannels) this.channels.get(channel);
    const conditions = policy.conditions.map(condition => {
      const { filter } = condition.conditionThreshold;
      checkThreshold(condition.conditionThreshold, this.samplePeriodMs);
      const selector = parseBurnRateSelector(filter);
      if (selector) this.slos.get(selector.slo);
      return { ...condition, name: condition.name ?? `${policy.name}/conditions/${this.#newId()}` };
    });
    return { ...policy, conditions };
  }

  #newId(): string {
    return String(10_000_000_000 + ++this.#ids);
  }

  #newIncidentId(): string {
    return `0.${(36 ** 10 + ++this.#ids).toString(36)}`;
  }
}
