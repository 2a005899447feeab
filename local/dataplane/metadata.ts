import type { HttpHandler } from '../http.ts';

export interface MetadataOptions {
  readonly project: string;
  readonly projectNumber: string;
  /** A region (`us-east4`) as on Cloud Run, or a zone (`us-central1-a`) as on a GKE node. */
  readonly location: string;
}

const ROOT = '/computeMetadata/v1';
const HEADERS = { 'metadata-flavor': 'Google', 'content-type': 'application/text' };

/** The few entries of the metadata server that tell a workload where it is. */
export function metadataHandler(options: MetadataOptions): HttpHandler {
  const entries = entriesOf(options);
  return ({ path, headers }) => {
    if (path === '/') return { status: 200, headers: HEADERS, body: 'computeMetadata/\n' };
    // As the real one does it, against requests that a browser or a proxy was talked into.
    if (headers['metadata-flavor'] !== 'Google' || headers['x-forwarded-for'] !== undefined) {
      return { status: 403, headers: HEADERS, body: 'Missing required header "Metadata-Flavor": "Google"\n' };
    }
    const body = path.startsWith(`${ROOT}/`) ? entries.get(path.slice(ROOT.length + 1)) : undefined;
    if (body === undefined) return { status: 404, headers: HEADERS, body: `no entry ${path}\n` };
    return { status: 200, headers: HEADERS, body };
  };
}

function entriesOf({ project, projectNumber, location }: MetadataOptions): Map<string, string> {
  const isZone = /-[a-z]$/.test(location);
  const zone = isZone ? location : `${location}-1`;
  const entries = new Map([
    ['instance/zone', `projects/${projectNumber}/zones/${zone}`],
    ['project/project-id', project],
    ['project/numeric-project-id', projectNumber],
  ]);
  // Nodes of a cluster have no entry for the region.
  if (!isZone) entries.set('instance/region', `projects/${projectNumber}/regions/${location}`);
  return entries;
}
