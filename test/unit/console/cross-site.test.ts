import { describe, expect, test } from 'vitest';
import { refuseCrossSite, refuseOtherSites } from '../../../functions/console/cross-site.ts';
import { asks } from './asking.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const HOST = { host: 'console.example.com' };
const OWN = { ...JSON_TYPE, ...HOST, origin: 'https://console.example.com' };

function give(headers: Readonly<Record<string, string>>, consoleUrl = '') {
  return () => refuseCrossSite(asks('/api/commands', { method: 'POST', headers }), consoleUrl);
}

describe('a command', () => {
  test.each([
    ['of the page itself', OWN],
    ['of a browser that says where it comes from', { ...OWN, 'sec-fetch-site': 'same-origin' }],
    ['with a charset', { ...OWN, 'content-type': 'application/json; charset=utf-8' }],
    ['on a laptop', { ...JSON_TYPE, host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080' }],
  ])('%s is taken', (_what, headers) => {
    expect(give(headers)).not.toThrow();
  });

  test('by the name that notifications give the console is taken, wherever that leads', () => {
    const headers = { ...OWN, host: 'console-xyz.a.run.app' };
    expect(give(headers)).toThrow();
    expect(give(headers, 'https://console.example.com')).not.toThrow();
  });

  test.each([
    ['of another site', { ...OWN, origin: 'https://evil.example' }],
    ['of a neighbour under the same domain', { ...OWN, origin: 'https://blog.example.com' }],
    ['of the same name without TLS', { ...OWN, origin: 'http://console.example.com' }],
    ['of the same name at another port', { ...OWN, origin: 'https://console.example.com:8443' }],
    ['of a sandboxed frame', { ...OWN, origin: 'null' }],
    ['that does not say where it comes from', { ...JSON_TYPE, ...HOST }],
    ['that the browser calls cross-site', { ...OWN, 'sec-fetch-site': 'cross-site' }],
    ['that the browser calls same-site', { ...OWN, 'sec-fetch-site': 'same-site' }],
    [
      'of another program of this laptop',
      { ...JSON_TYPE, host: 'localhost:8080', origin: 'http://localhost:3000' },
    ],
  ])('%s is refused', (_what, headers) => {
    expect(give(headers)).toThrow(expect.objectContaining({ status: 403 }));
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    '',
    'application/jsonp',
  ])('sent as "%s", as forms can, is refused', type => {
    expect(give({ ...OWN, 'content-type': type })).toThrow(expect.objectContaining({ status: 415 }));
  });
});

describe('a question', () => {
  const ask = (site: string) => () =>
    refuseOtherSites(asks('/api/me', { headers: { 'sec-fetch-site': site } }));

  test('of the page, or from the address bar, is answered', () => {
    expect(ask('same-origin')).not.toThrow();
    expect(ask('none')).not.toThrow();
    expect(() => refuseOtherSites(asks('/api/me'))).not.toThrow();
  });

  test.each(['cross-site', 'same-site'])('that is %s is refused', site => {
    expect(ask(site)).toThrow(expect.objectContaining({ status: 403 }));
  });
});
