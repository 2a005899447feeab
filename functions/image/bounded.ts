import { reason } from './reasons.ts';
import type { Reason, VerifiedPlatform } from './verdict.ts';

/**
 * A verdict is kept in the rollout's record, which may have 1 MiB with all that is in it: at worst, with texts of three
 * bytes a character, the reasons have 300 KiB of it and each platform 60.
 */
const MAX_REASONS = 50;
const MAX_SENTENCE_LENGTH = 1000;
const MAX_COMMAND_LENGTH = 4096;
const MAX_PATH_LENGTH = 1024;
const MAX_EXECUTABLES = 12;

/** The first ones, and how many more there are. */
export function boundReasons(reasons: readonly Reason[]): readonly Reason[] {
  const shown = reasons.slice(0, MAX_REASONS).map(({ code, message, fix }) => ({
    code,
    message: clip(message, MAX_SENTENCE_LENGTH),
    fix: clip(fix, MAX_SENTENCE_LENGTH),
  }));
  const rest = reasons.slice(MAX_REASONS);
  return rest.length === 0 ? shown : [...shown, moreReasons(rest)];
}

function moreReasons(rest: readonly Reason[]): Reason {
  const codes = [...new Set(rest.map(({ code }) => code))].sort();
  return reason(
    'MoreReasons',
    `There are ${rest.length} more reasons against the image (${codes.join(', ')}).`,
    'Mend the others first: npx slipway verify IMAGE tells what is left.',
  );
}

export function boundPlatform(platform: VerifiedPlatform): VerifiedPlatform {
  const { entrypoint, executables } = platform;
  return {
    ...platform,
    entrypoint: boundCommand(entrypoint),
    ...(executables && {
      executables: executables.slice(0, MAX_EXECUTABLES).map(({ file, layer, is }) => ({
        file: clip(file, MAX_PATH_LENGTH),
        layer,
        is: clip(is, MAX_PATH_LENGTH),
      })),
    }),
  };
}

function boundCommand(words: readonly string[]): readonly string[] {
  let left = MAX_COMMAND_LENGTH;
  const bounded: string[] = [];
  for (const word of words) {
    if (left <= 0) break;
    bounded.push(clip(word, left));
    left -= word.length;
  }
  return bounded;
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
