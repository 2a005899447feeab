import type { HttpReply } from '../http.ts';
import { apiVersionOf, RESOURCES, type Resource } from './resources.ts';

/** What clients ask before they ask for objects: versions, groups, resources. */
export function discovery(path: string): HttpReply | undefined {
  const body = documentAt(path.replace(/\/$/, ''));
  if (body) return { status: 200, body };
  if (['/healthz', '/livez', '/readyz'].includes(path)) return { status: 200, body: 'ok' };
  return undefined;
}

function documentAt(path: string): object | undefined {
  switch (path) {
    case '/version':
      return {
        major: '1',
        minor: '35',
        gitVersion: 'v1.35.1-gke.1000000',
        platform: 'linux/amd64',
      };
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() };
    default: {
      const groupVersion = /^\/(?:api|apis)\/(.+)$/.exec(path)?.[1] ?? '';
      const resources = RESOURCES.filter(resource => apiVersionOf(resource) === groupVersion);
      if (resources.length === 0) return undefined;
      return {
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion,
        resources: resources.flatMap(describe),
      };
    }
  }
}

function groups(): object[] {
  const versions = new Map(
    RESOURCES.filter(resource => resource.group).map(resource => [resource.group, resource.version]),
  );
  return [...versions].map(([name, version]) => {
    const entry = { groupVersion: `${name}/${version}`, version };
    return { name, versions: [entry], preferredVersion: entry };
  });
}

function describe(resource: Resource): object[] {
  const { plural, kind, namespaced, shortNames, subresources } = resource;
  const own = {
    name: plural,
    singularName: kind.toLowerCase(),
    namespaced,
    kind,
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames,
    ...(['pods', 'services', 'deployments', 'replicasets'].includes(plural) ? { categories: ['all'] } : {}),
  };
  const below = subresources.map(name => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    kind: name === 'scale' ? 'Scale' : kind,
    verbs: ['get', 'patch', 'update'],
    ...(name === 'scale' ? { group: 'autoscaling', version: 'v1' } : {}),
  }));
  return [own, ...below];
}
