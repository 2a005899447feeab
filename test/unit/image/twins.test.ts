import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageConfig } from '../../../functions/image/documents.ts';
import type { Registry } from '../../../functions/image/registry.ts';
import { findDifferences } from '../../../functions/image/twins.ts';
import { verifyImage } from '../../../functions/image/verify.ts';
import type { HttpServer } from '../../../local/http.ts';
import { configFor, IMAGE, listed, OddRegistry, reading } from './odd-registry.ts';

type Settings = NonNullable<ImageConfig['config']>;

function differences(amd64: Settings, arm64: Settings) {
  return findDifferences([
    { platform: 'linux/amd64', config: { config: amd64 } },
    { platform: 'linux/arm64', config: { config: arm64 } },
  ]);
}

describe('platforms that are one build', () => {
  it('may differ in what depends on the processor', () => {
    const config: Settings = { Entrypoint: ['/app'], Env: ['TARGETARCH=amd64', 'PATH=/bin'], User: '1' };
    const other: Settings = { ...config, Env: ['PATH=/usr/bin:/bin', 'TARGETARCH=arm64'] };
    expect(differences(config, other)).toEqual([]);
  });

  it('may leave out what is empty', () => {
    expect(differences({ User: '', Cmd: [], Env: null }, {})).toEqual([]);
  });

  it.each<[string, Settings, Settings, string, string]>([
    ['the entrypoint', { Entrypoint: ['/app'] }, { Entrypoint: ['/app', '-x'] }, '["/app"]', '["/app","-x"]'],
    ['the command', { Cmd: ['serve'] }, {}, '["serve"]', 'none'],
    ['the user', { User: '1000' }, { User: 'root' }, '1000', 'root'],
    ['the working directory', { WorkingDir: '/a' }, { WorkingDir: '/b' }, '/a', '/b'],
    [
      'the set of exposed ports',
      { ExposedPorts: { '80/tcp': {}, '443/tcp': {} } },
      { ExposedPorts: { '80/tcp': {} } },
      '443/tcp, 80/tcp',
      '80/tcp',
    ],
    [
      'the source revision (label org.opencontainers.image.revision)',
      { Labels: { 'org.opencontainers.image.revision': 'abc' } },
      { Labels: { 'org.opencontainers.image.revision': 'def' } },
      'abc',
      'def',
    ],
    [
      'the set of environment variables beyond the shared ones',
      { Env: ['A=1', 'DEBUG=1'] },
      { Env: ['A=2'] },
      'DEBUG',
      'none',
    ],
  ])('do not differ in %s', (what, amd64, arm64, first, second) => {
    expect(differences(amd64, arm64)).toEqual([
      { what, values: { 'linux/amd64': first, 'linux/arm64': second } },
    ]);
  });

  it('cannot fill the record or turn a terminal', () => {
    const [difference] = differences({ User: `\u001b[31m${'x'.repeat(10_000)}` }, {});
    const value = difference?.values['linux/amd64'] ?? '';
    expect(value.length).toBeLessThan(600);
    expect(value).not.toContain('\u001b');
  });
});

describe('the verdict on platforms that are not one build', () => {
  const platforms = ['linux/amd64', 'linux/arm64'];
  let odd: OddRegistry;
  let registry: Registry;
  let server: HttpServer;
  let digest: string;
  beforeEach(async () => {
    odd = new OddRegistry();
    ({ registry, server } = await reading(odd.handler));
    const images = platforms.map((platform, index) =>
      listed(odd.manifest(configFor(platform, { config: { User: `${index}`, Cmd: ['/a'] } })), platform),
    );
    digest = odd.index(images).digest;
  });
  afterEach(() => server.close());

  it('tells it, and accepts the image unless asked to be strict', async () => {
    const verdict = await verifyImage(registry, IMAGE, digest, { platforms, binaries: false });
    expect(verdict.status).toBe('accepted');
    expect(verdict.differences).toEqual([
      { what: 'the user', values: { 'linux/amd64': '0', 'linux/arm64': '1' } },
    ]);
  });

  it('refuses it when it is to be strict, and says how to build them together', async () => {
    const rules = { platforms, binaries: false, twins: 'strict' } as const;
    const verdict = await verifyImage(registry, IMAGE, digest, rules);
    expect(verdict.status).toBe('rejected');
    expect(verdict.reasons.map(({ code }) => code)).toEqual(['TwinsDiffer']);
    expect(verdict.reasons[0]?.message).toContain('the user is 0 on linux/amd64, 1 on linux/arm64');
    expect(verdict.reasons[0]?.fix).toContain('--platform linux/amd64,linux/arm64');
    expect(verdict.differences).toHaveLength(1);
  });
});
