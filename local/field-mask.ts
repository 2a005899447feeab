type Fields = Readonly<Record<string, unknown>>;

/**
 * What an update with a field mask leaves: masked top-level fields come from `patch` (and go when it lacks them), all
 * others stay. A path below a top-level field replaces that field as a whole.
 */
export function applyFieldMask(current: Fields, patch: Fields, mask: string): Fields {
  const fields = mask
    .split(',')
    .map(path => camelCase(path.trim().split('.')[0] ?? ''))
    .filter(field => field !== '');
  const result: Record<string, unknown> = { ...current };
  for (const field of fields) {
    if (patch[field] === undefined) delete result[field];
    else result[field] = patch[field];
  }
  return result;
}

/** Clients send masks in the protocol's spelling, `ack_deadline_seconds`, and bodies in JSON's. */
function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
