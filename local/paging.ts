import { ApiError } from './http.ts';

export interface Page<T> {
  readonly items: T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** One page of a list that is computed anew for every request: the token is the position of the next item. */
export function pageOf<T>(items: readonly T[], query: URLSearchParams, defaultSize: number): Page<T> {
  const from = numberOf(query, 'pageToken', 0);
  const size = numberOf(query, 'pageSize', 0) || defaultSize;
  const to = from + Math.min(size, defaultSize);
  return { items: items.slice(from, to), nextPageToken: to < items.length ? String(to) : '' };
}

function numberOf(query: URLSearchParams, name: string, missing: number): number {
  const text = query.get(name);
  if (text === null || text === '') return missing;
  if (!/^\d+$/.test(text)) throw new ApiError('INVALID_ARGUMENT', `${name} "${text}" is not a number`);
  return Number(text);
}
