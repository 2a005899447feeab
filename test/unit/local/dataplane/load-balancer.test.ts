import { afterEach, describe, expect, it } from 'vitest';
import { realClock } from '../../../../local/clock.ts';
import type { Backend } from '../../../../local/dataplane/dataplane.ts';
import { regionRouter, startLoadBalancer } from '../../../../local/dataplane/load-balancer.ts';
import type { HttpServer } from '../../../../local/http.ts';
import { cloudRunBackend, startInstance } from './fixtures/backends.ts';

const open: HttpServer[] = [];

afterEach(() => Promise.all(open.splice(0).map(server => server.close())));

interface World {
  readonly attached?: readonly string[];
  readonly served?: readonly string[];
}

const REGIONS = ['us-east4', 'europe-west1', 'asia-northeast1'];

function routerFor({ attached = REGIONS, served = attached }: World = {}) {
  const route = regionRouter({
    regions: () => attached,
    backendsOf: region => (served.includes(region) ? [cloudRunBackend('hello-1', 100, [], region)] : []),
  });
  return (location?: string) => {
    const headers: Record<string, string> =
      location === undefined ? {} : { 'x-local-client-location': location };
    return regionOf(route({ method: 'GET', path: '/', headers }));
  };
}

function regionOf(backends: readonly Backend[] | undefined): string | undefined {
  const by = backends?.[0]?.by;
  return by?.kind === 'cloudRun' ? by.region : undefined;
}

describe('the nearest region', () => {
  it.each([
    ['us', 'us-east4'],
    ['eu', 'europe-west1'],
    ['asia', 'asia-northeast1'],
    ['us-west1', 'us-east4'],
    ['southamerica-east1', 'us-east4'],
    ['africa-south1', 'europe-west1'],
    ['australia-southeast1', 'asia-northeast1'],
    ['asia-south1', 'asia-northeast1'],
  ])('of a caller in %s is %s', (location, region) => {
    expect(routerFor()(location)).toBe(region);
  });

  it('is the next nearest when the nearest is not attached', () => {
    const route = routerFor({ attached: ['us-east4', 'asia-northeast1'] });
    expect(route('eu')).toBe('us-east4');
  });

  it('is one that has the service', () => {
    const route = routerFor({ served: ['asia-northeast1'] });
    expect(route('eu')).toBe('asia-northeast1');
  });

  it('is none when nothing is attached', () => {
    expect(routerFor({ attached: [] })('eu')).toBeUndefined();
    expect(routerFor({ attached: [] })()).toBeUndefined();
  });

  it('counts a region that is nowhere on the map as farthest', () => {
    const route = routerFor({ attached: ['moon-base1', 'europe-west1'] });
    expect(route('us')).toBe('europe-west1');
  });
});

it('callers who do not say where they are are spread evenly', () => {
  const route = routerFor();
  expect(Array.from({ length: 6 }, () => route())).toEqual([...REGIONS, ...REGIONS]);
});

describe('over HTTP', () => {
  async function balancer() {
    const instance = await startInstance((request, response) => {
      response.end(String(request.headers['x-client-geo-location']));
    });
    const server = await startLoadBalancer({
      name: 'load balancer hello',
      regions: () => ['europe-west1'],
      backendsOf: region => [cloudRunBackend('hello-1', 100, [instance.url], region)],
      random: () => 0,
      clock: realClock,
      onServed: () => {},
    });
    open.push(instance, server);
    return server.url;
  }

  async function ask(url: string, headers: Record<string, string>): Promise<string> {
    return (await fetch(url, { headers })).text();
  }

  it('tells the instance where the caller is', async () => {
    const url = await balancer();
    expect(await ask(url, { 'x-local-client-location': 'us' })).toBe('USNY,New York');
    expect(await ask(url, { 'x-local-client-location': 'asia-northeast1' })).toBe('JP13,Tokyo');
  });

  it('a caller who does not say is near the region that answers, and cannot make up a place', async () => {
    const url = await balancer();
    expect(await ask(url, { 'x-client-geo-location': 'made up' })).toBe('BEWHT,Mons');
  });

  it('refuses places it does not know', async () => {
    const response = await fetch(await balancer(), { headers: { 'x-local-client-location': 'mars' } });
    expect(response.status).toBe(400);
    expect(await response.text()).toBe(
      'x-local-client-location is "mars", expected us, eu, asia or the name of a region\n',
    );
  });
});
