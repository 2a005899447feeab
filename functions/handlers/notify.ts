import type { CloudEvent } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';

/** Topic `rollout-events`: tells people, as the policy's `notifications` say. */
export async function notify(deps: Dependencies, event: CloudEvent<unknown>): Promise<void> {
  deps.log('INFO', `nobody is told of ${event.type}`);
}
