import { logsUrl } from '../rollout/links.ts';
import { TELLINGS } from '../rollout/notifications.ts';
import type { TemplateVariable } from '../rollout/template.ts';
import { shortDigest, timestamp } from '../rollout/wording.ts';
import type { News } from './news.ts';
import { plain } from './texts.ts';

/** What a message to people says, whatever it is sent by. Plain text, not escaped yet. */
export interface Notice {
  /** `✔ hello v2: Completed` */
  readonly headline: string;
  readonly why: string;
  /** `example.dev/acme/hello:v2 (sha256:c6b8a0e85411)` */
  readonly image: string | undefined;
  /** `50 % us, arm · 0 % eu, asia` */
  readonly where: string | undefined;
  /** `hello-37c72894e1 · Healthy · 2026-01-05 09:12:34 UTC` */
  readonly foot: string;
  readonly link: { readonly label: string; readonly url: string };
  readonly title: string;
  /** 0: all is well; 1: something is wrong; 2: and a person should know at once. */
  readonly gravity: 0 | 1 | 2;
  readonly values: Readonly<Record<TemplateVariable, string>>;
}

export interface Place {
  /** Slipway's own. */
  readonly project: string;
  /** Empty: there is none. */
  readonly consoleUrl: string;
}

/** From here on a message says that it is late. */
export const LATE_MS = 10 * 60_000;

export function noticeOf(news: News, place: Place, nowMs: number): Notice {
  const { mark, title } = TELLINGS[news.reason];
  const said = (text: string | undefined) => plain(text ?? '');
  const target = said(news.target);
  const subject = [said(news.service ?? news.topic), said(news.tag)].filter(Boolean).join(' ');
  const [digest, time, link] = [shortDigest(said(news.digest)), timestamp(news.timeMs), linkOf(news, place)];
  const weights = weightsOf(news.weights ?? {});
  const image = news.image === undefined ? undefined : imageOf(said(news.image), said(news.tag), digest);
  const foot = [said(news.rollout), said(news.phase), time, lateness(news.timeMs, nowMs)];
  return {
    headline: `${mark} ${subject}${target ? ` on ${target}` : ''}: ${title}`,
    why: said(news.message),
    image,
    where: weights === '' ? undefined : weights,
    foot: foot.filter(Boolean).join(' · '),
    link,
    title,
    gravity: gravityOf(news.reason),
    values: {
      service: said(news.service),
      tag: said(news.tag),
      image: said(news.image),
      digest,
      rollout: said(news.rollout),
      phase: said(news.phase),
      reason: news.reason,
      title,
      message: said(news.message),
      target,
      weights,
      time,
      url: link.url,
    },
  };
}

function gravityOf(reason: News['reason']): Notice['gravity'] {
  const { isBad, byDefault } = TELLINGS[reason];
  if (!isBad) return 0;
  return byDefault ? 2 : 1;
}

function imageOf(repository: string, tag: string, digest: string): string {
  return `${repository}${tag ? `:${tag}` : ''}${digest ? ` (${digest})` : ''}`;
}

function lateness(timeMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - timeMs) / 60_000);
  return nowMs - timeMs > LATE_MS ? `told ${minutes} min late` : '';
}

const MOST_NAMES = 6;

/** Targets of the same weight together, the heaviest first. */
function weightsOf(weights: Readonly<Record<string, number>>): string {
  const byWeight = Map.groupBy(Object.entries(weights), ([, weight]) => weight);
  return [...byWeight]
    .sort(([a], [b]) => b - a)
    .map(([weight, targets]) => `${weight} % ${namesOf(targets.map(([name]) => plain(name)))}`)
    .join(' · ');
}

function namesOf(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES;
  const shown = names.slice(0, rest > 1 ? MOST_NAMES : names.length).join(', ');
  return rest > 1 ? `${shown} and ${rest} more` : shown;
}

/** The rollout in the console; without a console what is logged about it. */
function linkOf({ rollout, service, timeMs }: News, { project, consoleUrl }: Place): Notice['link'] {
  if (consoleUrl !== '') {
    const ofService = isId(service) ? `/services/${service}` : '/';
    const url = consoleUrl + (isId(rollout) ? `/rollouts/${rollout}` : ofService);
    return { label: 'Open in the console', url };
  }
  if (!isId(rollout)) return { label: 'Logs', url: `${ALL_LOGS}${encodeURIComponent(project)}` };
  const times = { createdMs: timeMs - 3_600_000, updatedMs: timeMs };
  return { label: 'Logs', url: logsUrl({ id: rollout, ...times }, project) };
}

/** As Slipway makes them: anything else is not made part of a URL. */
function isId(text: string | undefined): text is string {
  return text !== undefined && /^[a-z0-9-]{1,100}$/.test(text);
}

const ALL_LOGS = 'https://console.cloud.google.com/logs/query?project=';

/** Many notices in one message. */
export interface Summary {
  /** `Slipway: 1 Rolling back among 37 messages at once`: all that a phone shows, so what is wrong comes first. */
  readonly headline: string;
  readonly shown: readonly Notice[];
  /** `… and 12 more: 8 Weight, 4 Canary ready` */
  readonly rest: string | undefined;
}

const MOST_SHOWN = 10;

/** Of too many the gravest are shown; in the order of the notices. */
export function summaryOf(notices: readonly Notice[]): Summary {
  const byGravity = notices.toSorted((a, b) => b.gravity - a.gravity);
  const wrong = byGravity.filter(({ gravity }) => gravity > 0);
  const chosen = new Set(byGravity.slice(0, MOST_SHOWN));
  const rest = notices.filter(notice => !chosen.has(notice));
  return {
    headline: `Slipway: ${wrong.length > 0 ? `${countsOf(wrong)} among ` : ''}${notices.length} messages at once`,
    shown: notices.filter(notice => chosen.has(notice)),
    rest: rest.length === 0 ? undefined : `… and ${rest.length} more: ${countsOf(rest)}`,
  };
}

function countsOf(notices: readonly Notice[]): string {
  return [...Map.groupBy(notices, ({ title }) => title)]
    .map(([title, { length }]) => `${length} ${title}`)
    .join(', ');
}
