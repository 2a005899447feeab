/** @import { RolloutChange, RolloutView } from '../contract.ts' */

/** As many as the record keeps. */
const MOST_ENTRIES = 300;
const MOST_POINTS = 240;

/**
 * The view after a change. An event that comes twice changes nothing.
 *
 * @param {RolloutView} view
 * @param {RolloutChange} change
 * @returns {RolloutView}
 */
export function changed(view, change) {
  const { rollout, history, trend, ...rest } = change;
  const before = view.rollout;
  const last = before.history.at(-1)?.sequence ?? 0;
  const isSameAttempt = rollout.attempt === before.attempt;
  const lastMs = isSameAttempt ? (before.trend.at(-1)?.atMs ?? 0) : 0;
  return {
    ...rest,
    rollout: {
      ...rollout,
      spec: rollout.spec ?? before.spec,
      verification: rollout.verification ?? before.verification,
      history: [...before.history, ...history.filter(({ sequence }) => sequence > last)].slice(-MOST_ENTRIES),
      trend: thinned([...(isSameAttempt ? before.trend : []), ...trend.filter(({ atMs }) => atMs > lastMs)]),
    },
  };
}

/**
 * @template T
 * @param {T[]} points
 * @returns {T[]}
 */
function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  return points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
}
