import { realpath } from 'node:fs/promises';
import path from 'node:path';

/**
 * The real path of what an image calls `inside`, symlinks followed; undefined when there is no such file. Links in an
 * unpacked tree never lead out of it (see layers.ts), so a path that does was tampered with and counts as missing.
 *
 * @param root a real path
 */
export async function locate(root: string, inside: string): Promise<string | undefined> {
  try {
    const found = await realpath(joinInside(root, inside));
    return isInside(root, found) ? found : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Takes `..` away before joining, as the kernel does at the root of a container. */
export function joinInside(root: string, inside: string): string {
  return path.join(root, path.posix.normalize(`/${inside}`));
}

export function isInside(root: string, found: string): boolean {
  return found === root || found.startsWith(root + path.sep);
}

export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || hasCode(error, 'ELOOP');
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
