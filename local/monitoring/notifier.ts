import { millisOf } from '../proto-json.ts';
import { type Incident, notification } from './incidents.ts';
import type { Channel } from './resources.ts';

/** Publishes `data` as JSON; a rejection means that it shall be tried again. */
export type Publish = (topic: string, data: object) => unknown;

interface Unsent {
  readonly topic: string;
  readonly data: object;
}

/** Tells the channels of a policy about its incidents: once per change, and as often as they want reminding. */
export class Notifier {
  readonly #publish: Publish;
  readonly #findChannel: (name: string) => Channel | undefined;
  readonly #unsent: Unsent[] = [];
  /** When each channel was last told about an incident, by incident and channel. */
  readonly #toldMs = new WeakMap<Incident, Map<string, number>>();

  constructor(publish: Publish, findChannel: (name: string) => Channel | undefined) {
    this.#publish = publish;
    this.#findChannel = findChannel;
  }

  /** Notifications that could not be published yet. */
  get unsent(): readonly Unsent[] {
    return this.#unsent;
  }

  changed(incident: Incident, nowMs: number): void {
    const { notificationPrompts } = incident.policy.alertStrategy;
    const prompt = incident.closedMs === undefined ? 'OPENED' : 'CLOSED';
    if (notificationPrompts.length > 0 && !notificationPrompts.includes(prompt)) return;
    for (const channel of incident.policy.notificationChannels) this.#tell(channel, incident, nowMs, false);
  }

  remind(incident: Incident, nowMs: number): void {
    for (const strategy of incident.policy.alertStrategy.notificationChannelStrategy) {
      if (strategy.renotifyInterval === undefined) continue;
      for (const channel of strategy.notificationChannelNames) {
        const toldMs = this.#toldMs.get(incident)?.get(channel);
        const isDue = toldMs !== undefined && nowMs - toldMs >= millisOf(strategy.renotifyInterval);
        if (isDue) this.#tell(channel, incident, nowMs, true);
      }
    }
  }

  send(channel: Channel, data: object): void {
    if (channel.enabled) this.#unsent.push({ topic: channel.labels.topic, data });
    void this.flush();
  }

  /** Tries what could not be published. */
  async flush(): Promise<void> {
    for (const message of this.#unsent.splice(0)) {
      try {
        await this.#publish(message.topic, message.data);
      } catch {
        this.#unsent.push(message);
      }
    }
  }

  #tell(name: string, incident: Incident, nowMs: number, renotify: boolean): void {
    const channel = this.#findChannel(name);
    if (!channel) return;
    const told = this.#toldMs.get(incident) ?? new Map<string, number>();
    this.#toldMs.set(incident, told.set(name, nowMs));
    this.send(channel, notification(incident, renotify));
  }
}
