import { expect, test } from 'vitest';
import { type VerdictReport, verdictReport } from '../../../cli/verdict-report.ts';
import type { Verdict, VerifiedPlatform } from '../../../functions/image/verdict.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function platform(name: string, over: Partial<VerifiedPlatform> = {}): VerifiedPlatform {
  return {
    platform: name,
    digest: `sha256:${'b'.repeat(64)}`,
    sizeBytes: 52_400_000,
    configDigest: `sha256:${'c'.repeat(64)}`,
    entrypoint: ['/usr/bin/hello', '--greet', 'a world'],
    ...over,
  };
}

function report(verdict: Partial<Verdict>, over: Partial<VerdictReport> = {}): string[] {
  const accepted: Verdict = {
    status: 'accepted',
    digest: DIGEST,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    platforms: [platform('linux/amd64'), platform('linux/arm64')],
    reasons: [],
  };
  const reference = { host: 'registry.example', repository: 'acme/hello', tag: 'v1' };
  return verdictReport(
    {
      reference,
      verdict: { ...accepted, ...verdict },
      platforms: ['linux/amd64', 'linux/arm64'],
      binaries: false,
      ...over,
    },
    (_colour, text) => text,
  );
}

test('an accepted image has a line per platform, and the digest that the tag stands for', () => {
  const cells = 'sha256:bbbbbbbbbbbb  52 MB  sha256:cccccccccccc  /usr/bin/hello --greet "a world"';
  const header = 'PLATFORM     DIGEST               SIZE   CONFIG               ENTRYPOINT';
  expect(report({})).toEqual([
    `registry.example/acme/hello:v1 is ${DIGEST} (application/vnd.oci.image.index.v1+json)`,
    '',
    `${header.padEnd(`linux/amd64  ${cells}`.length)}  ELF`,
    `linux/amd64  ${cells}  not read; --binaries`,
    `linux/arm64  ${cells}  not read; --binaries`,
    '',
    'accepted',
  ]);
});

test('every reason of a rejected image has its code, a sentence and what to do', () => {
  const reasons = [
    { code: 'PlatformMissing', message: 'The image has no linux/arm64.', fix: 'docker buildx build' },
    { code: 'BinaryMismatch', message: '/hello is for another machine.', fix: 'FROM alpine' },
  ] as const;
  const lines = report({ status: 'rejected', platforms: [platform('linux/amd64')], reasons });
  expect(lines[4]).toBe('linux/arm64  not found');
  expect(lines.slice(6)).toEqual([
    'rejected for 2 reasons',
    '  1. PlatformMissing: The image has no linux/arm64.',
    '     fix: docker buildx build',
    '  2. BinaryMismatch: /hello is for another machine.',
    '     fix: FROM alpine',
  ]);
});

test('with binaries it tells what starting the container executes', () => {
  const executables = [
    { file: '/start.sh', layer: DIGEST, is: 'script for /bin/sh' },
    { file: '/bin/sh', layer: DIGEST, is: 'ELF 64-bit AArch64' },
  ];
  const [, , , line] = report({ platforms: [platform('linux/arm64', { executables })] }, { binaries: true });
  expect(line).toMatch(/ {2}\/start\.sh: script for \/bin\/sh, \/bin\/sh: ELF 64-bit AArch64$/);
});

test('platforms that are not one build are told apart', () => {
  const values = { 'linux/amd64': '1000', 'linux/arm64': 'none' };
  expect(report({ differences: [{ what: 'the user', values }] }).slice(5, 10)).toEqual([
    '',
    'The platforms differ in the user:',
    '  linux/amd64: 1000',
    '  linux/arm64: none',
    '',
  ]);
});

test('a platform that is spelled otherwise is not taken for another one', () => {
  const lines = report({}, { platforms: ['linux/amd64', 'linux/arm64/v8'] });
  expect(lines.filter(line => line.includes('not found'))).toEqual([]);
});

test('what an image says of itself cannot act on the terminal', () => {
  const evil = 'x\u001b]0;owned\u0007\u202e';
  const lines = report({
    status: 'rejected',
    mediaType: evil,
    platforms: [platform('linux/amd64', { entrypoint: [evil, `${'y'.repeat(10_000)}`] })],
    reasons: [{ code: 'EntrypointNotFound', message: evil, fix: evil }],
    differences: [{ what: evil, values: { [evil]: evil } }],
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  for (const line of lines) expect(line.length).toBeLessThan(400);
});
