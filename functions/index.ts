import { type CloudEvent, cloudEvent, http } from '@google-cloud/functions-framework';
import { type Dependencies, dependenciesFrom } from './dependencies.ts';
import { activity } from './handlers/activity.ts';
import { command } from './handlers/command.ts';
import { console } from './handlers/console.ts';
import { deadLetter } from './handlers/dead-letter.ts';
import { imagePush } from './handlers/image-push.ts';
import { notify } from './handlers/notify.ts';
import { sloAlert } from './handlers/slo-alert.ts';
import { sweep } from './handlers/sweep.ts';
import { activityEntry, received, requestEntry } from './telemetry/entries.ts';
import { entered, telemetryFrom, watched } from './telemetry/telemetry.ts';

const deps = dependenciesFrom(process.env);
const telemetry = telemetryFrom(process.env, deps);

onMessage('imagePush', imagePush);
onMessage('command', command);
onMessage('sloAlert', sloAlert);
onMessage('deadLetter', deadLetter);
onMessage('notify', notify);

http('activity', async (request, response) => {
  const { status, body } = await entered(telemetry, activityEntry(request), () =>
    activity(deps, request.body),
  );
  response.status(status).json(body);
});
http('console', (request, response) =>
  watched(requestEntry('console', request), () => console(deps, request, response)),
);
http('sweep', async (request, response) => {
  await entered(telemetry, requestEntry('sweep', request), () => sweep(deps));
  response.status(204).end();
});

/** The framework takes a handler with a second parameter for one with a callback: it must have one. */
function onMessage(
  name: string,
  handle: (deps: Dependencies, event: CloudEvent<unknown>) => Promise<void>,
): void {
  cloudEvent(name, (event: CloudEvent<unknown>) =>
    received(telemetry, name, event, () => handle(deps, event)),
  );
}
