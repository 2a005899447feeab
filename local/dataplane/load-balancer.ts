import { ApiError, type HttpServer } from '../http.ts';
import type { Backend } from './dataplane.ts';
import { type FrontOptions, type FrontRequest, startFront } from './fronts.ts';
import { byDistance, CALLER_NAMES, type Place, placeOfCaller, placeOfRegion } from './places.ts';

/** Where a request comes from: there is nothing but loopback here, so callers say it. */
export const CLIENT_LOCATION_HEADER = 'x-local-client-location';

export interface LoadBalancerOptions extends Omit<FrontOptions, 'resolve' | 'addHeaders'> {
  /** Regions whose serverless network endpoint group is on the backend service now. */
  readonly regions: () => readonly string[];
  /** What Cloud Run serves in that region, by weight; empty when the service is not there. */
  readonly backendsOf: (region: string) => readonly Backend[];
}

/**
 * A global load balancer over Cloud Run regions: a caller gets the nearest region that is attached and has the service.
 * Callers who do not say where they are are taken for evenly spread over the attached regions.
 */
export function startLoadBalancer(options: LoadBalancerOptions): Promise<HttpServer> {
  const route = regionRouter(options);
  return startFront({
    ...options,
    resolve: request => route(request),
    addHeaders: (request, backend) => ({ 'x-client-geo-location': clientLocation(request, backend) }),
  });
}

/** The transport-free half: the backends for one request, undefined when no region has any. */
export function regionRouter({
  regions,
  backendsOf,
}: Pick<LoadBalancerOptions, 'regions' | 'backendsOf'>): (
  request: FrontRequest,
) => readonly Backend[] | undefined {
  let turn = 0;
  return request => {
    const attached = regions();
    const caller = placeOf(request);
    const nearest = caller ? byDistance(caller, attached) : startingAt(turn++, attached);
    for (const region of nearest) {
      const backends = backendsOf(region);
      if (backends.length > 0) return backends;
    }
    return undefined;
  };
}

function startingAt(turn: number, regions: readonly string[]): readonly string[] {
  const start = regions.length === 0 ? 0 : turn % regions.length;
  return [...regions.slice(start), ...regions.slice(0, start)];
}

function placeOf({ headers }: FrontRequest): Place | undefined {
  const name = headers[CLIENT_LOCATION_HEADER];
  if (name === undefined) return undefined;
  const place = placeOfCaller(name);
  if (place) return place;
  throw new ApiError(
    'INVALID_ARGUMENT',
    `${CLIENT_LOCATION_HEADER} is "${name}", expected ${CALLER_NAMES.join(', ')} or the name of a region`,
  );
}

/** Somebody who does not say where they are is taken to be next to the region that serves them. */
export function clientLocation(request: FrontRequest, backend: Backend): string {
  const region = backend.by.kind === 'cloudRun' ? backend.by.region : backend.by.location;
  return (placeOf(request) ?? placeOfRegion(region))?.clientLocation ?? '';
}
