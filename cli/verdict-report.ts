import { formatPlatform, parsePlatform } from '../functions/image/platforms.ts';
import { formatReference, type Reference } from '../functions/image/reference.ts';
import type { Difference, Reason, Verdict, VerifiedPlatform } from '../functions/image/verdict.ts';
import { shortDigest } from '../functions/rollout/wording.ts';
import { bytes, type Painter, printable, table } from './output.ts';

export interface VerdictReport {
  readonly reference: Reference;
  readonly verdict: Verdict;
  /** The platforms that were required. */
  readonly platforms: readonly string[];
  /** Whether what the container executes was read. */
  readonly binaries: boolean;
}

/** A verdict for people: what was checked, a line per platform, every reason with what to do about it. */
export function verdictReport(report: VerdictReport, paint: Painter): string[] {
  const { verdict } = report;
  return [
    identity(report),
    ...['', ...platformTable(report)],
    ...(verdict.differences?.length ? ['', ...twins(verdict.differences)] : []),
    '',
    conclusion(verdict, paint),
    ...verdict.reasons.flatMap((reason, index) => explained(reason, index + 1, paint)),
  ];
}

function identity({ reference, verdict }: VerdictReport): string {
  const { digest, mediaType } = verdict;
  const type = mediaType === '' ? '' : ` (${printable(mediaType)})`;
  const name = formatReference(reference);
  return reference.digest === undefined ? `${name} is ${digest}${type}` : `${name}${type}`;
}

export function platformTable({ verdict, platforms, binaries }: VerdictReport): string[] {
  const header = ['PLATFORM', 'DIGEST', 'SIZE', 'CONFIG', 'ENTRYPOINT', 'ELF'];
  const found = new Set(verdict.platforms.map(({ platform }) => platform));
  const missing = platforms.map(spelled).filter(platform => !found.has(platform));
  return table([
    header,
    ...verdict.platforms.map(one => rowOf(one, binaries)),
    ...missing.map(one => [one, 'not found']),
  ]);
}

/** As verdicts spell it: `linux/arm64/v8` is `linux/arm64`. */
function spelled(text: string): string {
  const platform = parsePlatform(text);
  return platform ? formatPlatform(platform) : text;
}

function rowOf(one: VerifiedPlatform, binaries: boolean): string[] {
  const entrypoint = one.entrypoint.map(word =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word),
  );
  return [
    one.platform,
    shortDigest(one.digest),
    bytes(one.sizeBytes),
    shortDigest(one.configDigest),
    clip(printable(entrypoint.join(' ')) || 'none'),
    clip(printable(binaries ? executables(one) : 'not read; --binaries')),
  ];
}

/** What starting the container executes, in order. */
function executables({ executables = [] }: VerifiedPlatform): string {
  return executables.map(({ file, is }) => `${file}: ${is}`).join(', ') || 'not found';
}

const MAX_CELL_LENGTH = 100;

function clip(text: string): string {
  return text.length > MAX_CELL_LENGTH ? `${text.slice(0, MAX_CELL_LENGTH - 1)}…` : text;
}

function twins(differences: readonly Difference[]): string[] {
  return differences.flatMap(({ what, values }) => [
    `The platforms differ in ${printable(what)}:`,
    ...Object.entries(values).map(([platform, value]) => `  ${printable(platform)}: ${printable(value)}`),
  ]);
}

function conclusion({ status, reasons }: Verdict, paint: Painter): string {
  if (status === 'accepted') return paint('green', 'accepted');
  return paint('red', `rejected for ${reasons.length} ${reasons.length === 1 ? 'reason' : 'reasons'}`);
}

function explained({ code, message, fix }: Reason, number: number, paint: Painter): string[] {
  return [
    `  ${number}. ${paint('bold', code)}: ${printable(message)}`,
    `     ${paint('dim', 'fix:')} ${printable(fix)}`,
  ];
}
