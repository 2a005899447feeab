import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planCommand } from '../../../../local/dataplane/command.ts';
import type { Workload } from '../../../../local/dataplane/dataplane.ts';
import { ImageStore } from '../../../../local/dataplane/images.ts';
import { gzipLayer, IMAGE, MemoryRegistry, standInElf, type TarEntry } from './fixtures/memory-registry.ts';

let cacheDir: string;

beforeEach(async () => {
  cacheDir = await mkdtemp(path.join(tmpdir(), 'slipway-command-'));
});

afterEach(() => rm(cacheDir, { recursive: true, force: true }));

const NODE: TarEntry = { name: 'usr/local/bin/node', mode: 0o755, content: standInElf(62) };
const APP: TarEntry = { name: 'app/server.ts', content: '' };

interface World {
  readonly files?: readonly TarEntry[];
  readonly config?: object;
  readonly workload?: Partial<Workload>;
}

async function plan({ files = [NODE, APP], config, workload }: World) {
  const registry = new MemoryRegistry();
  const settings = config ?? { Entrypoint: ['node'], Cmd: ['/app/server.ts'] };
  const architecture = workload?.architecture ?? 'amd64';
  const { digest } = registry.putImage({ os: 'linux', architecture }, settings, [await gzipLayer(files)]);
  const image = await new ImageStore(registry, cacheDir).pull(`${IMAGE}@${digest}`, architecture);
  const planned = await planCommand(image, {
    name: 'test',
    image: IMAGE,
    architecture,
    location: 'us-east4',
    env: {},
    ...workload,
  });
  const inside = (file: string) => path.join(image.rootfs, file);
  return { planned, inside };
}

async function commandOf(world: World) {
  const { planned, inside } = await plan(world);
  if (!planned.ok) throw new Error(planned.failure.message);
  return { ...planned.command, inside };
}

async function failureOf(world: World) {
  const { planned } = await plan(world);
  if (planned.ok) throw new Error(`would run ${planned.command.args.join(' ')}`);
  return planned.failure;
}

describe('what is run', () => {
  it('the file in the unpacked tree, in its working directory', async () => {
    const config = { Entrypoint: ['node'], Cmd: ['server.ts', '--verbose'], WorkingDir: '/app' };
    const { args, cwd, inside } = await commandOf({ config });
    expect(args).toEqual([inside('app/server.ts'), '--verbose']);
    expect(cwd).toBe(inside('app'));
  });

  it('follows links to node and to the file inside the tree', async () => {
    const files: TarEntry[] = [
      { name: 'opt/node/bin/node', mode: 0o755, content: standInElf(62) },
      { name: 'usr/bin/node', type: 'symlink', linkname: '/opt/node/bin/node' },
      APP,
      { name: 'main', type: 'symlink', linkname: '/app/server.ts' },
    ];
    const { args, inside } = await commandOf({ files, config: { Cmd: ['node', '/main'] } });
    expect(args).toEqual([inside('app/server.ts')]);
  });

  it('makes a working directory that the image does not have', async () => {
    const { cwd, inside } = await commandOf({
      config: { Cmd: ['node', '/app/server.ts'], WorkingDir: '/data' },
    });
    expect(cwd).toBe(inside('data'));
  });

  it('variables of the workload win over those of the image, and nothing else is there', async () => {
    const config = { Cmd: ['node', '/app/server.ts'], Env: ['MODE=image', 'EMPTY=', 'PAIR=a=b'] };
    const { env } = await commandOf({ config, workload: { env: { MODE: 'workload' } } });
    expect(env).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      MODE: 'workload',
      EMPTY: '',
      PAIR: 'a=b',
    });
  });

  it('arguments of the workload replace Cmd, its command replaces both', async () => {
    const files = [NODE, APP, { name: 'app/other.ts', content: '' }];
    const byArgs = await commandOf({ files, workload: { args: ['/app/other.ts'] } });
    expect(byArgs.args).toEqual([byArgs.inside('app/other.ts')]);
    const byCommand = await failureOf({ files, workload: { command: ['node'] } });
    expect(byCommand.reason).toBe('NotRunnable');
  });
});

describe('what cannot be run', () => {
  it.each([
    ['amd64', 183],
    ['arm64', 62],
  ] as const)('a node for another machine than %s', async (architecture, machine) => {
    const node = { ...NODE, content: standInElf(machine) };
    const failure = await failureOf({ files: [node, APP], workload: { architecture } });
    expect(failure).toEqual({
      reason: 'ExecFormat',
      message: 'exec /usr/local/bin/node: exec format error',
      exitCode: 255,
      lastLogLines: ['exec /usr/local/bin/node: exec format error'],
    });
  });

  it('any other program of the right machine, with what can be run', async () => {
    const files = [{ name: 'server', mode: 0o755, content: standInElf(62) }];
    const failure = await failureOf({ files, config: { Entrypoint: ['/server', '--port=80'] } });
    expect(failure.reason).toBe('NotRunnable');
    expect(failure.message).toBe(
      'the local data plane runs images whose command is "node FILE [ARGUMENT…]", this one\'s is ' +
        '"/server --port=80"; to run it here, give it ENTRYPOINT ["node", "FILE"]',
    );
  });

  it('any other program of the wrong machine is an exec format error all the same', async () => {
    const files = [{ name: 'server', mode: 0o755, content: standInElf(183) }];
    const failure = await failureOf({ files, config: { Entrypoint: ['/server'] } });
    expect(failure.message).toBe('exec /server: exec format error');
  });

  it.each([
    ['options of node', ['node', '--inspect', '/app/server.ts']],
    ['node alone', ['node']],
    ['a script', ['/entrypoint.sh', 'node', '/app/server.ts']],
  ])('%s', async (_name, argv) => {
    const script = { name: 'entrypoint.sh', mode: 0o755, content: '#!/bin/sh\nexec "$@"\n' };
    const failure = await failureOf({ files: [NODE, APP, script], config: { Entrypoint: argv } });
    expect(failure.reason).toBe('NotRunnable');
    expect(failure.message).toContain(`this one's is "${argv.join(' ')}"`);
  });

  it('a program that the image does not have', async () => {
    const failure = await failureOf({ config: { Cmd: ['python', 'main.py'] } });
    expect(failure.message).toBe('exec: "python": executable file not found in $PATH');
  });

  it('a node that may not be executed', async () => {
    const failure = await failureOf({ files: [{ ...NODE, mode: 0o644 }, APP] });
    expect(failure.message).toBe('exec: "node": executable file not found in $PATH');
  });

  it('nothing at all', async () => {
    expect((await failureOf({ config: {} })).message).toBe('no command specified');
  });
});
