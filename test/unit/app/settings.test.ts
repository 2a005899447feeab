import { expect, it } from 'vitest';
import { settingsFrom } from '../../../app/settings.ts';

it('has a default for everything', () => {
  expect(settingsFrom({}, 'x64')).toEqual({
    port: 8080,
    service: 'hello',
    revision: 'unknown',
    version: 'unknown',
    architecture: 'amd64',
    region: undefined,
    project: undefined,
    metadataHost: 'metadata.google.internal',
    httpsRedirect: false,
    guide: { model: undefined, location: 'global' },
    faults: { failRatio: 0, latencyMs: 0, failStart: false },
  });
});

it('reads what Cloud Run, the image and the manifests set', () => {
  const env = {
    PORT: '9000',
    K_SERVICE: 'greeter',
    K_REVISION: 'greeter-1',
    VERSION: 'v1.2.3',
    TARGETARCH: 'arm64',
    REGION: 'us-east4',
    GOOGLE_CLOUD_PROJECT: 'acme',
    GCE_METADATA_HOST: '127.0.0.1:1234',
    HTTPS_REDIRECT: '1',
    GUIDE_MODEL: 'gemini-small',
    GUIDE_LOCATION: 'us-east4',
    FAIL_RATIO: '0.2',
    LATENCY_MS: '300',
    FAIL_START: '1',
  };
  expect(settingsFrom(env, 'x64')).toEqual({
    port: 9000,
    service: 'greeter',
    revision: 'greeter-1',
    version: 'v1.2.3',
    architecture: 'arm64',
    region: 'us-east4',
    project: 'acme',
    metadataHost: '127.0.0.1:1234',
    httpsRedirect: true,
    guide: { model: 'gemini-small', location: 'us-east4' },
    faults: { failRatio: 0.2, latencyMs: 300, failStart: true },
  });
});

it.each([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
  ['riscv64', 'riscv64'],
])('a machine that Node calls %s is the platform %s', (machine, architecture) => {
  expect(settingsFrom({}, machine).architecture).toBe(architecture);
});

it('says everything that is wrong at once', () => {
  const env = { PORT: 'http', FAIL_RATIO: '20', LATENCY_MS: '-1' };
  expect(() => settingsFrom(env, 'x64')).toThrow(
    'PORT is "http", expected a port from 0 to 65535; ' +
      'FAIL_RATIO is "20", expected a share from 0 to 1; ' +
      'LATENCY_MS is "-1", expected milliseconds, 0 or more',
  );
});
