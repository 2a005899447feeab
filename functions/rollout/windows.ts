import type { Window } from './policy.ts';

const DAYS: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** The window of the policy that is closed at this time, in words; undefined when rollouts may start and advance. */
export function closedWindow(windows: readonly Window[], nowMs: number): string | undefined {
  const closed = windows.find(window => isClosed(window, nowMs));
  return closed && describe(closed);
}

function isClosed({ days, from, to, timeZone }: Window, nowMs: number): boolean {
  const now = minuteOfWeek(nowMs, timeZone);
  const length = minuteOfDay(to) - minuteOfDay(from);
  const minutes = length > 0 ? length : length + DAY_MINUTES;
  return days.some(day => {
    const start = DAYS.indexOf(day) * DAY_MINUTES + minuteOfDay(from);
    return (now - start + WEEK_MINUTES) % WEEK_MINUTES < minutes;
  });
}

/** By the clock on the wall there: an hour that summer time skips or repeats is skipped or repeated here too. */
function minuteOfWeek(nowMs: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const parts = new Map(format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
  const day = DAYS.indexOf((parts.get('weekday') ?? '').toLowerCase());
  return day * DAY_MINUTES + minuteOfDay(`${parts.get('hour')}:${parts.get('minute')}`);
}

function minuteOfDay(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

function describe({ days, from, to, timeZone }: Window): string {
  const which = days.length === DAYS.length ? 'every day' : days.join(', ');
  return `${which} ${from} to ${to} ${timeZone}`;
}
