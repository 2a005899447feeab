import { isList, isMap, type Value } from '../values.ts';
import { instant, type StandardFunction } from './function.ts';

/** What a retry policy may name besides a subworkflow. They are functions too: a predicate may build on them. */
export const PREDICATES: Readonly<Record<string, StandardFunction>> = {
  'http.default_retry_predicate': instant('exception', args =>
    matches(
      args.value('exception'),
      [429n, 502n, 503n, 504n],
      ['ConnectionError', 'ConnectionFailedError', 'TimeoutError'],
    ),
  ),
  'http.default_retry_predicate_non_idempotent': instant('exception', args =>
    matches(args.value('exception'), [429n, 503n], ['ConnectionFailedError']),
  ),
  'retry.always': instant('exception', () => true),
  'retry.never': instant('exception', () => false),
};

function matches(error: Value, codes: readonly bigint[], tags: readonly string[]): boolean {
  if (!isMap(error)) return false;
  const code = error.get('code');
  const found = error.get('tags');
  if (!isList(found)) return false;
  if (found.includes('HttpError') && typeof code === 'bigint' && codes.includes(code)) return true;
  return found.some(tag => typeof tag === 'string' && tags.includes(tag));
}
