import { mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Architecture, InstanceState, Workload } from './dataplane.ts';
import type { UnpackedImage } from './images.ts';
import { isMissing, joinInside, locate } from './rootfs.ts';

/** What Node is to be started with. */
export interface Command {
  /** The file in the unpacked tree, and its arguments. */
  readonly args: readonly string[];
  /** In the unpacked tree. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export type Failure = Omit<Extract<InstanceState, { phase: 'failed' }>, 'phase'>;

export type Planned =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly failure: Failure };

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
/** e_machine, from elf.h. */
const ELF_MACHINE: Readonly<Record<Architecture, number>> = { amd64: 62, arm64: 183 };

/** Turns an image's Entrypoint and Cmd, or what the workload says instead, into a run of this machine's Node. */
export async function planCommand(image: UnpackedImage, workload: Workload): Promise<Planned> {
  const settings = image.config.config;
  const argv = argvOf(settings?.Entrypoint ?? [], settings?.Cmd ?? [], workload);
  const env = { PATH: DEFAULT_PATH, ...variables(settings?.Env ?? []), ...workload.env };
  const workingDir = path.posix.resolve('/', settings?.WorkingDir || '/');
  const [program, file, ...rest] = argv;
  if (program === undefined) return notRunnable('no command specified');

  const executable = await findExecutable(image.rootfs, program, env.PATH, workingDir);
  if (!executable) return notRunnable(`exec: "${program}": executable file not found in $PATH`);
  const head = await firstBytes(executable.real);
  if (!isScript(head) && machineOf(head) !== ELF_MACHINE[workload.architecture]) {
    return execFormatError(executable.inside);
  }
  const isNode = [executable.inside, executable.real].some(name => path.basename(name) === 'node');
  if (!isNode || isScript(head) || file === undefined || file.startsWith('-')) {
    return notRunnable(onlyNode(argv));
  }
  const inside = path.posix.resolve(workingDir, file);
  const located = (await locate(image.rootfs, inside)) ?? joinInside(image.rootfs, inside);
  const cwd = (await locate(image.rootfs, workingDir)) ?? joinInside(image.rootfs, workingDir);
  await mkdir(cwd, { recursive: true });
  return { ok: true, command: { args: [located, ...rest], cwd, env } };
}

/** As Kubernetes has it: a command of its own makes the image's Cmd void too. */
function argvOf(
  entrypoint: readonly string[],
  cmd: readonly string[],
  workload: Workload,
): readonly string[] {
  const command = workload.command?.length ? workload.command : undefined;
  const args = workload.args?.length ? workload.args : undefined;
  return [...(command ?? entrypoint), ...(args ?? (command ? [] : cmd))];
}

function variables(list: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of list) {
    const equals = entry.indexOf('=');
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return env;
}

interface Executable {
  /** As the container sees it, symlinks not followed. */
  readonly inside: string;
  readonly real: string;
}

async function findExecutable(
  root: string,
  program: string,
  searchPath: string,
  workingDir: string,
): Promise<Executable | undefined> {
  const candidates = program.includes('/')
    ? [path.posix.resolve(workingDir, program)]
    : searchPath.split(':').map(directory => path.posix.resolve(workingDir, directory, program));
  for (const inside of candidates) {
    const real = await locate(root, inside);
    if (real && (await isExecutable(real))) return { inside, real };
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    const stats = await stat(file);
    return stats.isFile() && (stats.mode & 0o111) !== 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function firstBytes(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function isScript(head: Buffer): boolean {
  return head.toString('latin1', 0, 2) === '#!';
}

/** Undefined when it is no ELF file, which the kernel refuses with the same error as a foreign one. */
function machineOf(head: Buffer): number | undefined {
  if (head.length < 20 || !head.subarray(0, 4).equals(ELF_MAGIC)) return undefined;
  return head.readUInt16LE(18);
}

function execFormatError(executable: string): Planned {
  const message = `exec ${executable}: exec format error`;
  return { ok: false, failure: { reason: 'ExecFormat', message, exitCode: 255, lastLogLines: [message] } };
}

function notRunnable(message: string): Planned {
  return { ok: false, failure: { reason: 'NotRunnable', message, lastLogLines: [] } };
}

function onlyNode(argv: readonly string[]): string {
  return (
    `the local data plane runs images whose command is "node FILE [ARGUMENT…]", this one's is "${argv.join(' ')}"; ` +
    'to run it here, give it ENTRYPOINT ["node", "FILE"]'
  );
}
