/** `0.0105` is `1.05 %`; three digits that count. */
export function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(3))} %`;
}

/** Seconds as in a policy: `90s` is `1m30s`. */
export function span(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const;
  return (
    parts
      .filter(([amount]) => amount > 0)
      .map(([amount, unit]) => `${amount}${unit}`)
      .join('') || '0s'
  );
}

/** Of an estimate: whole minutes, rounded up, where it is minutes. */
export function roughSpan(seconds: number): string {
  return span(seconds >= 120 ? Math.ceil(seconds / 60) * 60 : seconds);
}

/** A burn rate: `10x`. */
export function times(factor: number): string {
  return `${Number(factor.toPrecision(3))}x`;
}

/** `2026-01-05 09:00:12 UTC` */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `sha256:` and twelve digits: enough to tell one from another. */
export function shortDigest(digest: string): string {
  return digest.slice(0, digest.indexOf(':') + 13);
}
