import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { programUrl } from '../files.ts';
import type { Command } from './command.ts';

/** A run of Node that cannot outlive this process, not even when this process is killed. */
export interface NodeProcess {
  /** undefined when it could not be started. */
  readonly pid: number | undefined;
  /** The newest lines of standard output and error, oldest first. */
  lastLines(): readonly string[];
  /** Does nothing once it has ended. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Resolves when it is gone and all it said has been read. */
  readonly ended: Promise<Exit>;
}

export interface Exit {
  /** 128 + the number of the signal, where a signal ended it. */
  readonly code: number;
  readonly signal: NodeJS.Signals | undefined;
}

const LIFELINE = programUrl('dataplane/lifeline').href;
const MAX_LINES = 50;
const MAX_LINE_LENGTH = 4096;

const alive = new Set<ChildProcess>();

function killAll(): void {
  for (const child of alive) killGroup(child);
}

/** @param onListening called with the port of every TCP server the process starts */
export function startNode(command: Command, onListening: (port: number) => void): NodeProcess {
  const child = spawn(process.execPath, ['--import', LIFELINE, ...command.args], {
    cwd: command.cwd,
    env: { ...command.env },
    // A group of its own: Ctrl-C in a terminal reaches the data plane alone, which then stops instances in good order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  if (!process.listeners('exit').includes(killAll)) process.on('exit', killAll);
  alive.add(child);
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line.slice(0, MAX_LINE_LENGTH));
    if (lines.length > MAX_LINES) lines.shift();
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) eachLine(stream, keep);
  const lifeline = child.stdio[3];
  if (lifeline && 'read' in lifeline) eachLine(lifeline, line => onListening(Number(line)));
  return {
    pid: child.pid,
    lastLines: () => [...lines],
    kill: signal => {
      if (alive.has(child)) child.kill(signal);
    },
    ended: exitOf(child, keep),
  };
}

function exitOf(child: ChildProcess, keep: (line: string) => void): Promise<Exit> {
  return new Promise(resolve => {
    child.once('error', error => {
      keep(error.message);
      alive.delete(child);
      resolve({ code: 127, signal: undefined });
    });
    child.once('exit', () => {
      killGroup(child);
      alive.delete(child);
    });
    child.once('close', (code, signal) => {
      resolve({
        code: signal ? 128 + constants.signals[signal] : (code ?? 0),
        signal: signal ?? undefined,
      });
    });
  });
}

/** What an instance started itself goes with it, as everything in a container does. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is empty.
  }
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = (parts.pop() ?? '').slice(0, MAX_LINE_LENGTH);
    for (const part of parts) onLine(part);
  });
  stream.on('end', () => {
    if (rest) onLine(rest);
  });
  // A pipe to a process that was killed may end in a reset; its exit says what there is to say.
  stream.on('error', () => {});
}
