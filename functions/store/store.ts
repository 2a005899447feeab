import type { Phase, Rollout, ServiceState } from '../rollout/record.ts';

/** A message that could not be made sense of: acknowledged, so that it does not come back, and kept for people. */
export interface DeadMessage {
  readonly id: string;
  readonly topic: string;
  readonly receivedMs: number;
  readonly problem: string;
  /** The message's text, at most 10,000 characters. */
  readonly text: string;
}

/** What the store holds, by kind. Documents are plain JSON; `undefined` fields are dropped. */
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

export interface Where {
  readonly service?: string | undefined;
  readonly phases?: readonly Phase[] | undefined;
  /** Newest first, this many at most. */
  readonly limit?: number | undefined;
}

/** Where records live. Every implementation passes the same suite: test/contract/store-contract.ts. */
export interface Store {
  read<K extends Kind>(kind: K, id: string): Promise<Documents[K] | undefined>;
  list<K extends Kind>(kind: K, where?: Where): Promise<Documents[K][]>;
  /**
   * Runs `work` as if it were alone: what it read has not changed when its writes take effect, all of them or none.
   * It may run several times, so it must do nothing else.
   */
  transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
