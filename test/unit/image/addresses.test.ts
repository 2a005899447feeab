import { describe, expect, it } from 'vitest';
import { isForbiddenHost } from '../../../functions/image/addresses.ts';

describe('a host that somebody else chose', () => {
  it.each([
    '127.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '::',
    '::1',
    'fe80::1',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
    '::169.254.169.254',
    '::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a9fe:a9fe',
    '::ffff:0:a9fe:a9fe',
    '2002:a9fe:a9fe::',
    '2002:7f00:1::1',
    '2001::1',
  ])('may not be at %s', async address => {
    const literal = address.includes(':') ? `[${address}]` : address;
    expect(await isForbiddenHost(new URL(`https://${literal}/`), async () => [])).toBe(true);
    expect(await isForbiddenHost(new URL('https://innocent.example/'), async () => [address])).toBe(true);
  });

  it.each(['203.0.113.7', '10.0.0.8', '64:ff9b::cb00:7107', '2002:cb00:7107::1', '2001:4860:4860::8888'])(
    'may be at %s',
    async address => {
      expect(await isForbiddenHost(new URL('https://innocent.example/'), async () => [address])).toBe(false);
    },
  );
});
