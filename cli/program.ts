import { InvalidArgumentError, Option } from 'commander';
import type { Answer } from './output.ts';

/** A command says with it what it came to. */
export type Finish = (answer: Answer) => void;

export async function loading<T>(command: () => Promise<T>): Promise<T> {
  await import('./jitless.ts');
  return command();
}

export function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

export function rateOption(): Option {
  return new Option('--rps <number>', 'requests per second to each service').argParser(positive);
}

export function stableErrorsOption(): Option {
  return new Option('--stable-errors <percent>', 'share of bad answers without any canary').argParser(
    percentage,
  );
}

export function trafficIn({ rps, stableErrors }: { rps?: number; stableErrors?: number }) {
  return {
    requestsPerSecond: rps,
    stableErrorRatio: stableErrors === undefined ? undefined : stableErrors / 100,
  };
}

export function insecureOption(): Option {
  return new Option('--insecure', 'the registry speaks plain HTTP');
}

export function readingTimeoutOption(): Option {
  return new Option('--timeout <duration>', 'for reading the image: 90s, 10m')
    .default(120, '2m')
    .argParser(durationSeconds);
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print')
    .choices(['text', 'json', 'yaml'])
    .default('text');
}

export function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

export function positive(text: string): number {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError('Expected a number above 0.');
}

export function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

export function percentage(text: string): number {
  const number = Number(text.replace(/\s*%$/, ''));
  if (text.trim() !== '' && number >= 0 && number <= 100) return number;
  throw new InvalidArgumentError('Expected a percentage from 0 to 100.');
}

/** As the functions would refuse it, before anything is asked. */
export function digest(text: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('Expected sha256: and 64 hexadecimal digits.');
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

export function durationSeconds(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const seconds = Number(amount) * (UNIT_SECONDS[unit] ?? 1);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('Expected a duration such as 90s or 10m, at most 24h.');
}
