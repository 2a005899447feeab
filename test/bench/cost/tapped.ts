/** One line of the tap. */
export interface Tapped {
  readonly what: 'read' | 'write' | 'call' | 'served' | 'answered' | 'log';
  /** Documents, calls or bytes. */
  readonly count: number;
  /** Of the request that it was done for; 0 for what no request asked for. */
  readonly request: number;
  /** In whose name: a function, the activity that it works on, and its target. */
  readonly by: string;
  /** Host and port of a call. */
  readonly to?: string;
  readonly method?: string;
  /** Where a request came in. */
  readonly port?: number;
  /** What the process had used since it began when the request came in. */
  readonly cpuMs?: number;
  /** Of an activity's answer. */
  readonly status?: string;
}
