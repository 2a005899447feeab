import type { Host } from '../host.ts';
import { failure } from '../raised.ts';
import type { Value } from '../values.ts';
import { type Args, blocking, instant, type StandardFunction } from './function.ts';

export const TIME: Readonly<Record<string, StandardFunction>> = {
  'time.format': instant('seconds timezone?', args => format(args)),
  'time.parse': instant('value', args => parse(args, 'value')),
  'sys.now': instant('', (_args, host) => nowSeconds(host)),
  'sys.sleep': blocking('seconds', sleep),
  'sys.sleep_until': blocking('time', sleepUntil),
};

const YEAR_SECONDS = 366 * 86_400;

export function nowSeconds(host: Host): number {
  return host.clock.nowMs() / 1000;
}

async function sleep(args: Args, host: Host): Promise<Value> {
  const seconds = args.number('seconds');
  if (!(seconds >= 0 && seconds <= YEAR_SECONDS)) {
    throw args.badValue('seconds', `must be 0 to ${YEAR_SECONDS}, not ${seconds}`);
  }
  await host.sleep(seconds);
  return null;
}

async function sleepUntil(args: Args, host: Host): Promise<Value> {
  const seconds = parse(args, 'time') - nowSeconds(host);
  if (seconds > YEAR_SECONDS) throw args.badValue('time', 'is more than a year ahead');
  await host.sleep(Math.max(0, seconds));
  return null;
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?([Zz]|[+-]\d{2}:\d{2})$/;

/** Seconds since the epoch, to the microsecond. */
function parse(args: Args, name: string): number {
  const text = args.string(name);
  const parts = RFC3339.exec(text);
  const wholeMs = parts ? Date.parse(`${parts[1]}T${parts[2]}${parts[4]?.toUpperCase()}`) : Number.NaN;
  if (!parts || Number.isNaN(wholeMs) || !isCalendarDate(parts[1] ?? '')) {
    throw args.badValue(name, `is no time like 2024-07-12T14:50:33.000000+02:00: '${text}'`);
  }
  return wholeMs / 1000 + Number(`0.${parts[3] ?? '0'}`);
}

/** JavaScript would turn the 31st of June into the 1st of July. */
function isCalendarDate(date: string): boolean {
  const day = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(date);
}

function format(args: Args): Value {
  const seconds = args.number('seconds');
  const zone = args.string('timezone', 'UTC');
  const microseconds = Math.round(seconds * 1e6);
  const wholeSeconds = Math.floor(microseconds / 1e6);
  const fraction = String(microseconds - wholeSeconds * 1e6).padStart(6, '0');
  const at = new Date(wholeSeconds * 1000);
  if (Number.isNaN(at.getTime())) throw args.badValue('seconds', `is out of range: ${seconds}`);
  const offsetMinutes = zoneOffset(zone, at);
  const local = new Date(at.getTime() + offsetMinutes * 60_000).toISOString().slice(0, 19);
  return `${local}.${fraction}${offsetText(offsetMinutes)}`;
}

function offsetText(minutes: number): string {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function zoneOffset(zone: string, at: Date): number {
  let name: string | undefined;
  try {
    const formatter = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    name = formatter.formatToParts(at).find(part => part.type === 'timeZoneName')?.value;
  } catch {
    throw failure('ValueError', `time.format: argument 'timezone' is no known time zone: '${zone}'`);
  }
  const offset = /([+-])(\d{2}):(\d{2})/.exec(name ?? '');
  if (!offset) return 0;
  const minutes = Number(offset[2]) * 60 + Number(offset[3]);
  return offset[1] === '-' ? -minutes : minutes;
}
