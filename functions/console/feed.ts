import { SlipwayError } from '../errors.ts';
import { eventText, type ServerEvent } from './changes.ts';
import type { After } from './http.ts';
import type { Line } from './line.ts';

/** What is watched: how it is read, and what listeners are told. */
export interface Subject<T> {
  /** The same for all who watch the same. */
  readonly key: string;
  /** How long it may be left alone, as it is. */
  everyMs(view: T): number;
  read(): Promise<T>;
  /** For a listener that has just come, or comes back with the id of the event that it saw last. */
  first(view: T, lastId: string | undefined): ServerEvent | undefined;
  /** undefined when there is nothing to tell. */
  change(before: T, view: T): ServerEvent | undefined;
}

/** A place among the listeners, kept until it is taken or given back. */
export interface Seat {
  take(line: Line): void;
  leave(): void;
}

export interface Feeds {
  /**
   * Joins those who watch the same, or begins: what is watched has been read once when this returns. What goes wrong the
   * first time is thrown.
   */
  join<T>(subject: Subject<T>, lastId: string | undefined): Promise<Seat>;
  listeners(): number;
}

interface Feed {
  readonly seats: Set<{ line: Line | undefined }>;
  /** When it has been read once. */
  readonly begun: Promise<void>;
  /** What a listener is told who has just come, once it has begun; empty when there is nothing to tell. */
  first(lastId: string | undefined): string;
  stop(): void;
}

/** Told once why what is watched cannot be read any more. */
export type OnTrouble = (key: string, error: unknown) => void;

/** Each thing that is watched is read once per interval however many watch it, and not at all once nobody does. */
export function openFeeds(after: After, onTrouble: OnTrouble): Feeds {
  const feeds = new Map<string, Feed>();
  return {
    async join(subject, lastId) {
      const feed = feeds.get(subject.key) ?? openFeed(subject, after, onTrouble);
      feeds.set(subject.key, feed);
      const seat: { line: Line | undefined } = { line: undefined };
      feed.seats.add(seat);
      function leave(): void {
        if (!feed.seats.delete(seat) || feed.seats.size > 0) return;
        feed.stop();
        if (feeds.get(subject.key) === feed) feeds.delete(subject.key);
      }
      try {
        await feed.begun;
      } catch (error) {
        leave();
        throw error;
      }
      return {
        leave,
        take(line) {
          seat.line = line;
          const text = feed.first(lastId);
          if (text !== '') line.send(text);
        },
      };
    },
    listeners: () => [...feeds.values()].reduce((sum, { seats }) => sum + seats.size, 0),
  };
}

/** Whoever cannot be reached now is not asked as often. */
const REST_MS = 5000;

function openFeed<T>(subject: Subject<T>, after: After, onTrouble: OnTrouble): Feed {
  const seats: Feed['seats'] = new Set();
  let view: T;
  /** For all who come at the same time and know nothing; with the next view another time of day is told. */
  let whole: { readonly of: T; readonly text: string } | undefined;
  let problem: string | undefined;
  let isStopped = false;
  let cancel = () => {};

  async function begin(): Promise<void> {
    view = await subject.read();
    next(subject.everyMs(view));
  }

  function next(ms: number): void {
    if (!isStopped) cancel = after(ms, () => void look());
  }

  async function look(): Promise<void> {
    try {
      const before = view;
      view = await subject.read();
      // That it is over is told even if nothing has changed.
      const event = problem === undefined ? subject.change(before, view) : subject.first(view, undefined);
      problem = undefined;
      if (event) tell(eventText(event));
      next(subject.everyMs(view));
    } catch (error) {
      const why = error instanceof SlipwayError ? error.message : 'the console cannot read its records';
      const text = problemText(why);
      if (text !== problem) {
        tell(text);
        onTrouble(subject.key, error);
      }
      problem = text;
      next(REST_MS);
    }
  }

  function tell(text: string): void {
    for (const { line } of [...seats]) line?.send(text);
  }

  function firstText(lastId: string | undefined): string {
    const event = subject.first(view, lastId);
    return event ? eventText(event) : '';
  }

  function wholeText(): string {
    if (whole?.of !== view) whole = { of: view, text: firstText(undefined) };
    return whole.text;
  }

  return {
    seats,
    begun: begin(),
    first(lastId) {
      const text = lastId === undefined ? wholeText() : firstText(lastId);
      return text + (problem ?? '');
    },
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

function problemText(message: string): string {
  return eventText({ name: 'problem', data: { message } });
}
