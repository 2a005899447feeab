import type { Store } from '../store/store.ts';
import { inSpan } from './scope.ts';

/** Transactions are what concurrent writers wait for each other in; reads are not worth a span each. */
export function tracedStore(store: Store): Store {
  return {
    ...store,
    transact: work => inSpan({ name: 'store transaction', kind: 'client' }, () => store.transact(work)),
  };
}
