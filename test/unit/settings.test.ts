import { expect, test } from 'vitest';
import { readSettings } from '../../functions/settings.ts';

test('defaults are filled in', () => {
  expect(readSettings({ GOOGLE_CLOUD_PROJECT: 'acme' })).toMatchObject({
    project: 'acme',
    location: 'us-central1',
    store: 'firestore',
  });
});

test('what is missing is named, with what it is for', () => {
  expect(() => readSettings({})).toThrow(
    'set these environment variables: GOOGLE_CLOUD_PROJECT (the project that Slipway runs in)',
  );
});

test('mirrors are pairs of host and URL', () => {
  const env = {
    GOOGLE_CLOUD_PROJECT: 'acme',
    SLIPWAY_REGISTRY_MIRRORS: 'a.dev=http://127.0.0.1:5000, b.dev=https://c.dev',
  };
  expect(readSettings(env).registryMirrors).toEqual({
    'a.dev': 'http://127.0.0.1:5000',
    'b.dev': 'https://c.dev',
  });
  expect(() => readSettings({ ...env, SLIPWAY_REGISTRY_MIRRORS: 'a.dev' })).toThrow(
    'expected HOST=URL, found "a.dev"',
  );
});
