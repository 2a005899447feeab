/** One line of the tap. */
export interface Tapped {
  readonly what: 'read' | 'write' | 'call' | 'served' | 'log';
  /** Documents, calls or bytes. */
  readonly count: number;
  /** In whose name: a function, the activity that it works on, and its target. */
  readonly by: string;
  /** Host and port of a call. */
  readonly to?: string;
  readonly method?: string;
  /** Where a request came in. */
  readonly port?: number;
  /** What the process has used since it began. */
  readonly cpuMs?: number;
}
