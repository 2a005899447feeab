import { ApiError } from '../http.ts';
import { SETTING_NAMES, type ServiceBody, type ServiceSettings } from './wire.ts';

/**
 * The settings after an update. Without a mask all settings are replaced; with one only those it names, down to single
 * fields (`template.revision`, `annotations`). A named field that the client did not send is cleared.
 */
export function applyMask(
  current: ServiceSettings,
  incoming: ServiceBody,
  mask: readonly string[] | undefined,
): ServiceSettings {
  const { name: _, etag: __, ...settings } = incoming;
  if (!mask || mask.length === 0 || mask.includes('*')) return settings;
  const next: Record<string, unknown> = structuredClone(current);
  for (const path of mask) {
    const fields = path.split('.').map(camelCase);
    if (!SETTING_NAMES.includes(fields[0] ?? '')) {
      throw new ApiError(
        'INVALID_ARGUMENT',
        `The update mask names '${path}', which is not a field that can be set.`,
      );
    }
    copy(fields, settings, next);
  }
  return next;
}

/** The mask of a request, as a client sends it in the query. */
export function parseMask(updateMask: string | null): readonly string[] | undefined {
  if (updateMask === null) return undefined;
  return updateMask
    .split(',')
    .map(path => path.trim())
    .filter(path => path !== '');
}

function copy(fields: readonly string[], from: object, to: Record<string, unknown>): void {
  const [field, ...rest] = fields;
  if (field === undefined) return;
  const value: unknown = Reflect.get(from, field);
  if (rest.length === 0) {
    if (value === undefined) delete to[field];
    else to[field] = value;
    return;
  }
  const inner = { ...asObject(to[field]) };
  copy(rest, asObject(value), inner);
  to[field] = inner;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function camelCase(field: string): string {
  return field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Whether two settings mean the same: unset fields, empty lists and zeroes are one and the same in protocol buffers. */
export function sameSettings(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  return JSON.stringify(withoutDefaults(value)) ?? '';
}

function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map(item => withoutDefaults(item) ?? null);
  if (typeof value !== 'object' || value === null) return value || undefined;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, withoutDefaults(inner)] as const)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
