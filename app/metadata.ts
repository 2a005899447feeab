import http from 'node:http';

/** Where the service runs, as far as the platform tells. */
export interface Place {
  readonly region: string | undefined;
  readonly project: string | undefined;
}

/**
 * Asks the metadata server of Cloud Run or GKE. GKE has no `region` entry, there the zone gives the region. Off Google
 * Cloud nothing answers: both are undefined then, after `timeoutMs` at the latest.
 */
export async function placeFrom(host: string, timeoutMs = 500): Promise<Place> {
  const [region, zone, project] = await Promise.all([
    read(host, 'instance/region', timeoutMs),
    read(host, 'instance/zone', timeoutMs),
    read(host, 'project/project-id', timeoutMs),
  ]);
  return { region: lastSegment(region) ?? regionOfZone(lastSegment(zone)), project };
}

/** `projects/123/regions/us-east4` → `us-east4` */
function lastSegment(resource: string | undefined): string | undefined {
  return resource?.split('/').at(-1) || undefined;
}

/** `us-central1-a` → `us-central1` */
function regionOfZone(zone: string | undefined): string | undefined {
  return zone?.replace(/-[^-]+$/, '');
}

function read(host: string, entry: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const request = http.get(
      `http://${host}/computeMetadata/v1/${entry}`,
      { headers: { 'metadata-flavor': 'Google' }, signal: AbortSignal.timeout(timeoutMs), agent: false },
      response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', chunk => {
          text += chunk;
        });
        response.on('error', () => resolve(undefined));
        response.on('end', () => resolve(response.statusCode === 200 ? text.trim() : undefined));
      },
    );
    request.on('error', () => resolve(undefined));
  });
}
