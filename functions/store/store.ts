import { SlipwayError } from '../errors.ts';
import type { Phase, Rollout, ServiceState } from '../rollout/record.ts';

/** A message that nothing came of: nonsense, or given up after too many deliveries. Kept for people. */
export interface DeadMessage {
  readonly id: string;
  readonly topic: string;
  readonly receivedMs: number;
  readonly problem: string;
  /** The message's text, at most 10,000 characters. */
  readonly text: string;
  /** Where it was given up, if it was: the subscription's id, and how often it was delivered there. */
  readonly subscription?: string | undefined;
  readonly attempts?: number | undefined;
}

/**
 * What the store holds, by kind. Documents are plain JSON of at most 1 MiB; `undefined` fields are dropped, and the order
 * of an object's fields may change. What has expired (./expiry.ts) is not given back.
 */
export interface Documents {
  readonly rollout: Rollout;
  readonly service: ServiceState;
  readonly deadMessage: DeadMessage;
}
export type Kind = keyof Documents;

export interface Transaction {
  read<K extends Kind>(kind: K, id: string): Promise<Documents[K] | undefined>;
  /** All reads of a transaction come before its writes. */
  write<K extends Kind>(kind: K, id: string, document: Documents[K]): void;
}

/** Rollouts and dead messages come newest first, services by name. */
export interface Where {
  /**
   * What comes behind the last of the page before: a service's name, whether there is one or not, or the id of a rollout
   * or dead message; one that is gone is an error, NotFound.
   */
  readonly after?: string | undefined;
  /** Rollouts of this service. */
  readonly service?: string | undefined;
  /** Rollouts in one of these phases. */
  readonly phases?: readonly Phase[] | undefined;
  /** This many at most; all without it. */
  readonly limit?: number | undefined;
}

/** Of a document, these top-level fields alone; all without any. */
export type Fields<K extends Kind> = keyof Documents[K] & string;

/** Where records live. Every implementation passes the same suite: test/contract/store-contract.ts. */
export interface Store {
  read<K extends Kind>(kind: K, id: string): Promise<Documents[K] | undefined>;
  list<K extends Kind, F extends Fields<K> = Fields<K>>(
    kind: K,
    where?: Where,
    fields?: readonly F[],
  ): Promise<Pick<Documents[K], F>[]>;
  /** Those of these ids that there are, in the order asked for. */
  readEach<K extends Kind, F extends Fields<K> = Fields<K>>(
    kind: K,
    ids: readonly string[],
    fields?: readonly F[],
  ): Promise<Pick<Documents[K], F>[]>;
  /**
   * Runs `work` as if it were alone: what it read has not changed when its writes take effect, all of them or none.
   * It may run several times, so it must do nothing else; when an answer was lost, an earlier run may have taken effect.
   * What `work` throws comes out as it is, and nothing is written.
   */
  transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** @param fields all without any */
export function pick<K extends Kind, F extends Fields<K>>(
  document: Documents[K],
  fields: readonly F[] | undefined,
): Pick<Documents[K], F> {
  if (!fields) return document;
  const wanted: ReadonlySet<string> = new Set(fields);
  return Object.fromEntries(Object.entries(document).filter(([name]) => wanted.has(name))) as Pick<
    Documents[K],
    F
  >;
}

/** {@link Where.after} names what is there no more. */
export function goneDocument(kind: Kind, id: string): SlipwayError {
  const operation = `go on after ${kind} ${id}`;
  return new SlipwayError(`${operation}: it is gone; begin with the first page again`, {
    code: 'NotFound',
    operation,
  });
}
