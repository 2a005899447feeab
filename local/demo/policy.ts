import { isMap, isScalar, parseDocument } from 'yaml';

/** What is shorter in the demo than in rollouts.yaml, as it is told to the viewer. */
export const DEMO_TIMES = {
  pause: '2s',
  progressDeadline: '30s',
  rollbackWindow: '10m',
  judge: { interval: '500ms', margin: 5, maxExtension: '20s' },
} as const;

/** rollouts.yaml with its minutes as seconds; everything else stays as it is written there. */
export function demoPolicy(source: string, { judge }: { judge: boolean }): string {
  const document = parseDocument(source);
  const service = ['services', 0];
  const steps = document.getIn([...service, 'strategy', 'steps'], true);
  const count =
    steps && typeof steps === 'object' && 'items' in steps && Array.isArray(steps.items)
      ? steps.items.length
      : 0;
  for (let index = 0; index < count; index++) {
    const pause = document.getIn([...service, 'strategy', 'steps', index, 'pause'], true);
    if (isMap(pause) && isScalar(pause.get('duration', true))) pause.set('duration', DEMO_TIMES.pause);
  }
  document.setIn([...service, 'strategy', 'progressDeadline'], DEMO_TIMES.progressDeadline);
  document.setIn([...service, 'strategy', 'rollbackWindow'], DEMO_TIMES.rollbackWindow);
  for (const [key, value] of Object.entries(DEMO_TIMES.judge))
    document.setIn([...service, 'judge', key], value);
  if (!judge) document.setIn([...service, 'judge'], 'off');
  return document.toString();
}
