import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlipwayError } from '../../../functions/errors.ts';
import { formatReference, parseReference } from '../../../functions/image/reference.ts';

const SHA256 = `sha256:${'a'.repeat(64)}`;
const SHA512 = `sha512:${'0'.repeat(128)}`;

describe('parseReference', () => {
  it.each([
    ['nginx', { host: 'docker.io', repository: 'library/nginx' }],
    ['acme/hello:v1', { host: 'docker.io', repository: 'acme/hello', tag: 'v1' }],
    ['index.docker.io/nginx', { host: 'docker.io', repository: 'library/nginx' }],
    ['localhost/hello', { host: 'localhost', repository: 'hello' }],
    ['localhost:5000/hello:v1', { host: 'localhost:5000', repository: 'hello', tag: 'v1' }],
    ['127.0.0.1:5000/acme/apps/hello', { host: '127.0.0.1:5000', repository: 'acme/apps/hello' }],
    ['[::1]:5000/hello', { host: '[::1]:5000', repository: 'hello' }],
    [
      `us-central1-docker.pkg.dev/acme/apps/hello:v1@${SHA256}`,
      { host: 'us-central1-docker.pkg.dev', repository: 'acme/apps/hello', tag: 'v1', digest: SHA256 },
    ],
    [
      `localhost@sha384:${'0'.repeat(96)}`,
      { host: 'docker.io', repository: 'library/localhost', digest: `sha384:${'0'.repeat(96)}` },
    ],
    [`gcr.io/a__b/c.d-e---f@${SHA512}`, { host: 'gcr.io', repository: 'a__b/c.d-e---f', digest: SHA512 }],
    [
      'example.com/x@multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
      {
        host: 'example.com',
        repository: 'x',
        digest: 'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8',
      },
    ],
  ])('takes %s apart', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    ['', 'names no repository'],
    ['example.com/', 'names no repository'],
    ['example.com/Hello', 'path component "Hello"'],
    ['example.com/a..b', 'path component "a..b"'],
    ['example.com/a___b', 'path component "a___b"'],
    ['example.com//b', 'path component ""'],
    ['exa_mple.com/b', 'not a host name'],
    ['example.com:99999/b', 'not a host name'],
    ['300.1.1.1/b', 'not a host name'],
    ['-x.com/b', 'not a host name'],
    ['example.com/a:', 'the tag ""'],
    ['example.com/a:-v', 'the tag "-v"'],
    [`example.com/a:${'v'.repeat(129)}`, 'the tag'],
    ['example.com/a@sha256:abc', 'not a digest'],
    [`example.com/a@sha256:${'A'.repeat(64)}`, 'not a digest'],
    ['example.com/a@', 'not a digest'],
    [`example.com/${'a'.repeat(250)}`, 'longer than 255'],
    ['a'.repeat(100_000), '100000 characters long'],
  ])('refuses %.40s and says why', (text, why) => {
    expect(() => parseReference(text)).toThrow(why);
    expect(() => parseReference(text)).toThrow(SlipwayError);
  });

  it('is undone by formatReference, whatever the reference', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,8}(?:[._-][a-z0-9]{1,8})?$/);
    const reference = fc.record(
      {
        host: fc.constantFrom('gcr.io', 'localhost:5000', 'us-docker.pkg.dev', '10.0.0.1:80'),
        repository: fc.array(component, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')),
        tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/),
        digest: fc.stringMatching(/^sha256:[0-9a-f]{64}$/),
      },
      { requiredKeys: ['host', 'repository'] },
    );
    fc.assert(
      fc.property(reference, one => {
        expect(parseReference(formatReference(one))).toEqual(one);
      }),
    );
  });

  it('never fails in another way than with its own error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), text => {
        try {
          parseReference(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
        }
      }),
    );
  });
});
