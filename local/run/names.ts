/** The place of a service, and its short name. */
export interface ServiceKey {
  readonly project: string;
  readonly region: string;
  readonly service: string;
}

export function locationName({ project, region }: Pick<ServiceKey, 'project' | 'region'>): string {
  return `projects/${project}/locations/${region}`;
}

export function serviceName(key: ServiceKey): string {
  return `${locationName(key)}/services/${key.service}`;
}

export function revisionName(key: ServiceKey, revision: string): string {
  return `${serviceName(key)}/revisions/${revision}`;
}

/** The last part of a resource name. */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
