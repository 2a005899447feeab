import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Registry } from '../../../functions/image/registry.ts';
import { type Verdict, verifyImage } from '../../../functions/image/verify.ts';
import type { HttpServer } from '../../../local/http.ts';
import { standInElf } from '../../../local/images/elf.ts';
import { dynamicElf } from './executables.ts';
import { layerOf, symlink, type TarEntry } from './layer-archives.ts';
import { configFor, IMAGE, OddRegistry, reading } from './odd-registry.ts';

/** What a command line starts in the end, behind shells, scripts and wrappers. */

const ARM = standInElf('linux/arm64');
const AMD = standInElf('linux/amd64');
const PLATFORM = 'linux/arm64';

let odd: OddRegistry;
let registry: Registry;
let server: HttpServer;

beforeAll(async () => {
  odd = new OddRegistry();
  ({ registry, server } = await reading(odd.handler));
});
afterAll(() => server.close());

/** Verifies an arm64 image of one layer; files are executable unless they say otherwise. */
async function verify(entries: readonly TarEntry[], config: object): Promise<Verdict> {
  const layer = await layerOf(entries, 'none');
  const manifest = odd.manifest(configFor(PLATFORM, { config, rootfs: { diff_ids: [layer.diffId] } }), [
    odd.put(layer.mediaType, layer.bytes),
  ]);
  return verifyImage(registry, IMAGE, manifest.digest, { platforms: [PLATFORM], binaries: true });
}

function file(name: string, content: Buffer | string = ARM, mode = 0o755): TarEntry {
  return { name, content, mode };
}

function codes(verdict: Verdict): string[] {
  return verdict.reasons.map(reason => reason.code);
}

function executed(verdict: Verdict): string[] {
  return (verdict.platforms[0]?.executables ?? []).map(one => one.file);
}

/** That a program of another machine is refused where the command starts it, and the right one is not. */
async function expectFollowed(
  config: object,
  others: readonly TarEntry[] = [],
  program = 'server',
): Promise<void> {
  const wrong = await verify([...others, file(program, AMD)], config);
  expect(codes(wrong)).toEqual(['BinaryMismatch']);
  expect(wrong.reasons[0]?.message).toContain(`/${program} of linux/arm64`);
  const right = await verify([...others, file(program)], config);
  expect(right.reasons).toEqual([]);
  expect(executed(right)).toContain(`/${program}`);
}

const SHELLS = [file('bin/sh'), file('bin/bash')];
const ENTRY = file('entry.sh', '#!/bin/sh\nexec "$@"\n');

describe('a shell', () => {
  it.each([
    [['/bin/bash', '-o', 'pipefail', '-c', '/server --port 8080']],
    [['/bin/bash', '-eo', 'pipefail', '-c', '/server']],
    [['/bin/bash', '+o', 'history', '-O', 'extglob', '-c', '/server']],
    [['/bin/bash', '--noprofile', '--rcfile', '/etc/rc', '-c', '/server']],
    [['/bin/sh', '-ec', '/server']],
    [['/bin/sh', '-c', '-e', '--', '/server']],
    [['/bin/bash', '-lc', 'exec /server']],
    [['/bin/sh', '-c', 'FOO=1 exec /server']],
    [['/bin/sh', '-c', 'FOO="a b" BAR=$X /server']],
    [['/bin/sh', '-c', '"/server" x']],
    [['/bin/sh', '-c', " '/server'; echo done"]],
    [['/bin/bash', '-c', 'exec -a name /server $ARGS']],
    [['/bin/sh', '-c', '/server>/log 2>&1']],
    [['/bin/sh', '-c', 'exec "$@"', 'sh', '/server']],
    [['/bin/sh', '-c', 'exec /entry.sh /server']],
    [['/bin/sh', '-c', 'PATH=/opt:$PATH server'], 'opt/server'],
  ])('%j starts the program in its text', async (argv, program = 'server') => {
    await expectFollowed({ Cmd: argv }, [...SHELLS, ENTRY], program);
  });

  it.each([
    ['command -v x && /none'],
    ['cd /none && ./run'],
    ['$(which x)'],
    ['FOO=$(x) /none'],
    ['# nothing\n/none'],
    ['echo\n/none'],
    ['exec'],
    [''],
  ])('is not blamed for the text %j', async text => {
    const broken = [file('usr/bin/command', ''), file('usr/bin/echo', AMD), file('bin/cd', AMD)];
    const verdict = await verify([...SHELLS, ...broken], { Cmd: ['/bin/sh', '-c', text] });
    expect(verdict.reasons).toEqual([]);
  });

  it.each([
    [{ Entrypoint: ['/bin/sh', '/entry.sh'], Cmd: ['/server'] }],
    [{ Entrypoint: ['/bin/sh', '-e', 'entry.sh', '/server'] }],
    [{ Cmd: ['bash', '-o', 'errexit', '/entry.sh', '/server'] }],
  ])('of %j reads a script that needs no permission and no first line', async config => {
    await expectFollowed(config, [...SHELLS, file('entry.sh', 'exec "$@"\n', 0o644)]);
  });

  it('that is to read a script needs it to be there', async () => {
    const verdict = await verify(SHELLS, { Cmd: ['/bin/sh', '/missing.sh'] });
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
    expect(verdict.reasons[0]?.message).toContain('/missing.sh');
  });

  it.each([[['/bin/sh']], [['/bin/sh', '-s', 'x']], [['/bin/sh', '/dev/stdin']], [['/bin/bash', '-i']]])(
    '%j waits for commands',
    async argv => {
      expect((await verify(SHELLS, { Cmd: argv })).reasons).toEqual([]);
    },
  );

  it('runs a text without first line by itself, where the kernel would not', async () => {
    const files = [...SHELLS, ENTRY, file('sbin/tini'), file('start.sh', 'echo hi\n')];
    for (const argv of [
      ['/bin/sh', '-c', '/start.sh'],
      ['/entry.sh', '/start.sh'],
      ['tini', '--', '/start.sh'],
    ]) {
      expect((await verify(files, { Cmd: argv })).reasons).toEqual([]);
    }
    expect(codes(await verify(files, { Cmd: ['/start.sh'] }))).toEqual(['EntrypointUnknownFormat']);
  });
});

describe('arguments behind a script', () => {
  it.each([
    [{ Entrypoint: ['/entry.sh', '/server'] }],
    [{ Cmd: ['/entry.sh', '/server'] }],
    [{ Entrypoint: ['/entry.sh'], Cmd: ['/server'] }],
    [{ Entrypoint: ['/entry.sh', '--verbose'], Cmd: ['/server'] }],
    [{ Entrypoint: ['/entry.sh', 'serve'], Cmd: ['/server'] }],
    [{ Entrypoint: ['/entry.sh', '/entry.sh', 'nice', '/server'] }],
  ])('of %j are what it starts in the end', async config => {
    await expectFollowed(config, [...SHELLS, ENTRY, file('bin/nice')]);
  });

  it('are no fault when they are no programs', async () => {
    const files = [...SHELLS, ENTRY, file('etc/conf', 'x', 0o644), file('data', 'x')];
    for (const argument of ['serve', '/gone', '/etc/conf', '/data', '/etc', '-x']) {
      expect((await verify(files, { Entrypoint: ['/entry.sh', argument] })).reasons).toEqual([]);
    }
  });
});

describe('env', () => {
  const env = file('usr/bin/env');

  it.each([
    ['#!/usr/bin/env --split-string=server --x'],
    ['#!/usr/bin/env -iS server'],
    ['#!/usr/bin/env -vS -u X server'],
    ['#!/usr/bin/env -S "server" --x'],
    ["#!/usr/bin/env -S 'server'"],
    ['#!/usr/bin/env -S X="$" server', false],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: env replaces it.
    ['#!/usr/bin/env -S ${SERVER} --x', false],
  ])('is understood in %j', async (line, isSeen = true) => {
    const files = [env, file('start', `${line}\n`)];
    const config = { Cmd: ['/start'] };
    if (isSeen) await expectFollowed(config, files, 'usr/bin/server');
    else expect((await verify(files, config)).reasons).toEqual([]);
  });

  it.each([
    [['env', '-a', 'name', '/opt/server']],
    [['env', '--argv0=name', '-u', 'X', '/opt/server']],
    [['env', '-i', 'A=1', 'PATH=/none:/opt', 'server']],
    [['env', '-', '/opt/server']],
    [['env', '--', 'A=1', '/opt/server']],
    [['env', '-C', '/opt', './server']],
    [['env', '-S', 'PATH=/opt:/bin server']],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: env replaces it.
    [['env', '-S', 'PATH=/opt:${PATH} server']],
  ])('of %j starts the server', async argv => {
    await expectFollowed({ Cmd: argv }, [env], 'opt/server');
  });

  it('that splits what it splits ends', async () => {
    expect((await verify([env], { Cmd: ['env', '-S', '-S -S '.repeat(1300)] })).reasons).toEqual([]);
  });

  it('is certain of a program that is not there', async () => {
    const verdict = await verify([env], { Cmd: ['env', '-i', 'A=1', 'gone'] });
    expect(codes(verdict)).toEqual(['EntrypointNotFound']);
  });
});

describe('a wrapper', () => {
  it.each([
    [['/bin/busybox', 'sh', '-c', '/server']],
    [['/bin/busybox', 'env', '/server']],
    [['/bin/busybox', 'sh', '/entry.sh', '/server']],
    [['/bin/gosu', 'nobody:nogroup', '/server']],
    [['/bin/su-exec', '1000', '/server']],
    [['/bin/s6-setuidgid', 'app', '/server']],
    [['/bin/docker-init', '--', '/server']],
    [['/bin/tini', '-gwvv', '-e143', '/server']],
    [['/bin/nice', '-n', '5', '/server']],
    [['/bin/nice', '-5', '/server']],
    [['/bin/nohup', '/server']],
    [['/bin/setsid', '-w', '/server']],
    [['/bin/stdbuf', '-oL', '-e', 'L', '/server']],
    [['/bin/timeout', '-k', '5', '--signal=INT', '60', '/server']],
    [['/bin/ld-linux-aarch64.so.1', '--library-path', '/opt/lib', '/server']],
    [['/bin/tini', '--', 'nice', 'timeout', '60', '/entry.sh', 'gosu', 'app', 'nohup', '/server']],
  ])('%j is seen through', async argv => {
    const names = ['gosu', 'su-exec', 's6-setuidgid', 'docker-init', 'tini', 'nice', 'nohup', 'setsid'];
    const others = ['busybox', 'stdbuf', 'timeout', 'ld-linux-aarch64.so.1'];
    const files = [...names, ...others].map(name => file(`bin/${name}`));
    await expectFollowed({ Cmd: argv }, [...SHELLS, ENTRY, ...files]);
  });

  it.each([
    ['another name', symlink('init', '/sbin/tini'), ['/init', '--', '/server']],
    ['one of many names', symlink('bin/nice', '/sbin/busybox'), ['nice', '-n', '5', '/server']],
  ])('that is a link of %s is seen through', async (_, link, argv) => {
    await expectFollowed({ Cmd: argv }, [file('sbin/tini'), file('sbin/busybox'), link]);
  });

  it('of many names needs no file for those', async () => {
    const files = [file('bin/busybox'), symlink('bin/ls', 'busybox'), file('server', AMD)];
    for (const argv of [
      ['busybox', 'nice', 'httpd', '-f'],
      ['ls', 'env', '/server'],
      ['busybox', 'httpd', '/server'],
    ]) {
      expect((await verify(files, { Cmd: argv })).reasons).toEqual([]);
    }
  });

  it('that is a dynamic loader needs neither permission nor the loader that the program asks for', async () => {
    const program = (machine: number) => file('server', dynamicElf(machine, '/lib/gone.so'), 0o755);
    const loader = file('opt/ld-linux-aarch64.so.1');
    const config = { Cmd: ['/opt/ld-linux-aarch64.so.1', '/server'] };
    expect((await verify([loader, program(183)], config)).reasons).toEqual([]);
    expect(codes(await verify([loader, program(62)], config))).toEqual(['BinaryMismatch']);
    expect((await verify([loader, file('server', ARM, 0o644)], config)).reasons).toEqual([]);
  });
});

describe('an executable that Linux refuses', () => {
  it('is refused for what is wrong with it', async () => {
    const withoutHeaders = Buffer.from(ARM);
    withoutHeaders.writeUInt16LE(0, 56);
    const withoutLoader = dynamicElf(183, '/lib/ld.so');
    withoutLoader.writeBigUInt64LE(0n, 96);
    for (const [content, sentence] of [
      [withoutHeaders, 'is ELF 64-bit AArch64 and has no program headers'],
      [withoutLoader, 'an empty name for its dynamic loader'],
      [ARM.subarray(0, 64), 'is cut off before the end of its program headers'],
    ] as const) {
      const verdict = await verify([file('server', content)], { Cmd: ['/server'] });
      expect(codes(verdict)).toEqual(['EntrypointUnknownFormat']);
      expect(verdict.reasons[0]?.message).toContain(sentence);
    }
  });

  it('is refused as a dynamic loader', async () => {
    const files = [file('lib/ld.so', ARM.subarray(0, 64)), file('server', dynamicElf(183, '/lib/ld.so'))];
    const verdict = await verify(files, { Cmd: ['/server'] });
    expect(codes(verdict)).toEqual(['EntrypointUnknownFormat']);
    expect(verdict.reasons[0]?.message).toContain('/lib/ld.so of linux/arm64');
  });
});

describe('the list of executables', () => {
  it('has no marks that a terminal or a reader takes for something else', async () => {
    const name = 'a\u001b[2J\u202eb';
    const verdict = await verify([file(name, `#!/bin/\u001b[31m\u2066sh\n`)], { Cmd: [`/${name}`] });
    const [one] = verdict.platforms[0]?.executables ?? [];
    expect(one).toMatchObject({ file: '/a\ufffd[2J\ufffdb', is: 'script for /bin/\ufffd[31m\ufffdsh' });
  });

  it('has each file once', async () => {
    const loader = '/lib/ld.so';
    const files = [
      file('bin/sh', dynamicElf(183, loader)),
      file('server', dynamicElf(183, loader)),
      file('lib/ld.so'),
      ENTRY,
    ];
    const verdict = await verify(files, { Cmd: ['/entry.sh', '/server'] });
    expect(executed(verdict)).toEqual(['/entry.sh', '/bin/sh', '/lib/ld.so', '/server']);
  });
});
