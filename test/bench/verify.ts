import { execFile } from 'node:child_process';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { buildCommandLine } from '../../cli/build.ts';
import { registryClient } from '../../functions/image/registry.ts';
import { type Verdict, verifyImage } from '../../functions/image/verify.ts';
import { serve } from '../../local/http.ts';
import { isInstalled } from '../contract/registry-processes.ts';
import { median, table } from './report.ts';
import type { ChildRun } from './verify-child.ts';
import { BenchRegistry, executable, MIB, type Part } from './verify-registry.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const HOST = 'registry.example';
const PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
const ROUND_TRIPS = 3;
const AIMS = { overFloor: 1.2, overSkopeo: 1 / 3, overProcess: 3, bytesRead: 0.15, memoryMib: 64 };

/** One comparison with an aim. */
interface Line {
  readonly what: string;
  readonly measured: string;
  readonly aim: string;
  readonly isMet: boolean;
}

/**
 * What checking an image takes: time against the round trips it needs and against skopeo, bytes, and memory.
 * @returns whether all aims were met
 */
export async function benchVerify(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '9' },
      latency: { type: 'string', default: '50' },
      layer: { type: 'string', default: '1000' },
    },
  });
  const registry = new BenchRegistry();
  const server = await serve(registry.handler);
  try {
    const lines = [
      ...(await benchTime(registry, server.url, Number(values.runs), Number(values.latency))),
      await benchBytes(registry, server.url),
      await benchMemory(registry, server.url, Number(values.layer)),
    ];
    console.log(`\n${table([['', 'measured', 'aim', ''], ...lines.map(row)])}`);
    return lines.every(({ isMet }) => isMet);
  } finally {
    await server.close();
  }
}

function row({ what, measured, aim, isMet }: Line): string[] {
  return [what, measured, aim, isMet ? 'met' : 'NOT MET'];
}

async function benchTime(
  registry: BenchRegistry,
  endpoint: string,
  runs: number,
  latencyMs: number,
): Promise<Line[]> {
  const images = await Promise.all(
    PLATFORMS.map(async platform => {
      const layer = await registry.putLayer([executable(platform)]);
      return [platform, registry.putImage(platform, [layer])] as const;
    }),
  );
  const index = registry.putIndex(Object.fromEntries(images), 'v1');
  registry.latencyMs = latencyMs;
  await verify(endpoint, index, false);
  const took = await timed(runs, async () => {
    registry.resetCounts();
    await verify(endpoint, index, false);
  });
  console.log(
    `In a running process, both platforms, manifests and configs, ${latencyMs} ms on each answer: ${ms(took)} (median of ${runs}), ${registry.requests} requests, ${registry.bytes} bytes read`,
  );
  const floorMs = ROUND_TRIPS * latencyMs;
  const overFloor = took / floorMs;
  const lines = [
    {
      what: `times the floor of ${ROUND_TRIPS} round trips (${floorMs} ms)`,
      measured: overFloor.toFixed(2),
      aim: `${AIMS.overFloor} at most`,
      isMet: overFloor <= AIMS.overFloor,
    },
    ...(await benchSkopeo(registry, endpoint, runs, took)),
    ...(await benchProcess(registry, endpoint, runs)),
  ];
  registry.latencyMs = 0;
  return [...lines, ...(await benchProcess(registry, endpoint, runs))];
}

/** `slipway verify` as people run it, start-up included, against the smallest thing that skopeo does. */
async function benchProcess(registry: BenchRegistry, endpoint: string, runs: number): Promise<Line[]> {
  if (!isInstalled('skopeo')) return [];
  await buildCommandLine(path.join(ROOT, 'dist', 'cli'));
  const { host } = new URL(endpoint);
  const call = promisify(execFile);
  const slipway = () =>
    call(process.execPath, [
      path.join(ROOT, 'dist/cli/slipway.js'),
      'verify',
      '--insecure',
      `${host}/acme/hello:v1`,
    ]);
  const skopeo = () =>
    call('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${host}/acme/hello:v1`]);
  // The first run fills the compile cache.
  await slipway();
  const [ours, theirs] = [await timed(runs, slipway), await timed(runs, skopeo)];
  const { latencyMs } = registry;
  console.log(
    `As a process, ${latencyMs} ms on each answer: slipway verify ${ms(ours)}, skopeo inspect --raw ${ms(theirs)} (medians of ${runs})`,
  );
  return [
    {
      what: `times one skopeo process, ${latencyMs} ms on each answer`,
      measured: (ours / theirs).toFixed(2),
      aim: `${AIMS.overProcess} at most`,
      isMet: ours / theirs <= AIMS.overProcess,
    },
  ];
}

/** What people do without a check: look at the index, and at each platform's config. */
async function benchSkopeo(
  registry: BenchRegistry,
  endpoint: string,
  runs: number,
  tookMs: number,
): Promise<Line[]> {
  if (!isInstalled('skopeo')) {
    console.log('skopeo is not installed: not compared with it');
    return [];
  }
  const image = `docker://${new URL(endpoint).host}/acme/hello:v1`;
  const inspect = (...args: string[]) =>
    promisify(execFile)('skopeo', [...args, '--tls-verify=false', image], { maxBuffer: 16 * MIB });
  const skopeoMs = await timed(runs, async () => {
    registry.resetCounts();
    await inspect('inspect', '--raw');
    for (const platform of PLATFORMS) {
      await inspect('--override-arch', platform.split('/')[1] ?? '', 'inspect', '--config');
    }
  });
  console.log(
    `The same with skopeo, three processes: ${ms(skopeoMs)}, ${registry.requests} requests, ${registry.bytes} bytes read`,
  );
  const share = tookMs / skopeoMs;
  return [
    {
      what: 'of the time of skopeo inspect --raw and --config per platform',
      measured: percent(share),
      aim: `${percent(AIMS.overSkopeo)} at most`,
      isMet: share <= AIMS.overSkopeo,
    },
  ];
}

async function benchBytes(registry: BenchRegistry, endpoint: string): Promise<Line> {
  const base = await registry.putLayer([{ name: 'usr/lib/base', mode: 0o644, content: 92 * MIB }]);
  const top = await registry.putLayer([
    executable('linux/arm64'),
    { name: 'srv/app', mode: 0o644, content: 8 * MIB },
  ]);
  const index = registry.putIndex({ 'linux/arm64': registry.putImage('linux/arm64', [base, top]) }, 'large');
  registry.resetCounts();
  const verdict = await verify(endpoint, index, true, ['linux/arm64']);
  const total = verdict.platforms[0]?.sizeBytes ?? 0;
  const share = registry.bytes / total;
  console.log(
    `Binaries of an image of ${mib(total)}, started from its top layer: ${registry.requests} requests, ${mib(registry.bytes)} read`,
  );
  return {
    what: 'of the bytes of a 100 MB image read with binaries',
    measured: percent(share),
    aim: `below ${percent(AIMS.bytesRead)}`,
    isMet: share < AIMS.bytesRead,
  };
}

async function benchMemory(registry: BenchRegistry, endpoint: string, layerMib: number): Promise<Line> {
  const platform = 'linux/arm64';
  const layer = await registry.putLayer([
    executable(platform),
    { name: 'data', mode: 0o644, content: layerMib * MIB },
  ]);
  const image = registry.putImage(platform, [layer]);
  const child = path.join(import.meta.dirname, 'verify-child.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [
    child,
    HOST,
    endpoint,
    image.digest,
    platform,
  ]);
  const run: ChildRun = JSON.parse(stdout);
  if (run.status !== 'accepted') throw new Error(`the large image is refused: ${run.reasons.join(' ')}`);
  const above = (run.peakBytes - run.idleBytes) / MIB;
  console.log(
    `A gzip layer of ${mib(layer.size)} in a process of its own: ${(run.tookMs / 1000).toFixed(1)} s, memory from ${mib(run.idleBytes)} to ${mib(run.peakBytes)} at most`,
  );
  return {
    what: `MiB above idle for a layer of ${layerMib} MiB`,
    measured: above.toFixed(0),
    aim: `below ${AIMS.memoryMib}`,
    isMet: above < AIMS.memoryMib,
  };
}

async function verify(
  endpoint: string,
  image: Part,
  binaries: boolean,
  platforms: readonly string[] = PLATFORMS,
): Promise<Verdict> {
  const registry = registryClient({ mirrors: { [HOST]: endpoint }, accessToken: async () => undefined });
  const verdict = await verifyImage(registry, `${HOST}/acme/hello`, image.digest, { platforms, binaries });
  if (verdict.status === 'accepted') return verdict;
  throw new Error(`the sample image is refused: ${verdict.reasons.map(({ message }) => message).join(' ')}`);
}

/** Median, in milliseconds. */
async function timed(runs: number, work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let run = 0; run < runs; run++) {
    const sinceMs = performance.now();
    await work();
    took.push(performance.now() - sinceMs);
  }
  return median(took);
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
