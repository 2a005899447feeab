/** An alert policy on an SLO: it fires when the error budget goes this much too fast in all of its windows at once. */
export interface AlertPolicy {
  readonly name: string;
  /** How many times faster than the SLO allows the budget goes. It must be faster than this, not as fast. */
  readonly burnRate: number;
  /** Longest first. Cloud Monitoring looks back 24 h at most. */
  readonly windowsSeconds: readonly number[];
  /** Requests that the shortest window must hold for the alert to fire; 0: any number will do. */
  readonly minRequests: number;
}

const MINUTE = 60;
const HOUR = 3600;

/**
 * What guards a service in production: terraform/ makes these policies and the local cloud the same ones. The first is
 * short enough to catch a canary; on so short a window a handful of requests must not decide. The others are those of
 * the Site Reliability Workbook (chapter 5) for 30 days: 2 %, 5 % and 10 % of the budget gone in 1 h, 6 h and 24 h. The
 * workbook's 3 days for the last are more than Cloud Monitoring looks back.
 */
export const ALERT_POLICIES: readonly AlertPolicy[] = [
  { name: 'rollout-guard', burnRate: 10, windowsSeconds: [5 * MINUTE], minRequests: 100 },
  { name: 'burn-1h', burnRate: 14.4, windowsSeconds: [HOUR, 5 * MINUTE], minRequests: 0 },
  { name: 'burn-6h', burnRate: 6, windowsSeconds: [6 * HOUR, 30 * MINUTE], minRequests: 0 },
  { name: 'burn-24h', burnRate: 3, windowsSeconds: [24 * HOUR, 2 * HOUR], minRequests: 0 },
];
