import { gemini } from './gemini.ts';
import { createGuide, type Guide } from './guide.ts';
import { writeToStdout } from './log.ts';
import { placeFrom } from './metadata.ts';
import type { Identity } from './service.ts';
import { createServing } from './serving.ts';
import { type Settings, settingsFrom } from './settings.ts';

try {
  await start(settingsFrom(process.env, process.arch));
} catch (error) {
  die(error instanceof Error ? error.message : String(error));
}

async function start(settings: Settings): Promise<void> {
  if (settings.faults.failStart) throw new Error('not starting: FAIL_START=1');
  const { service, version, revision, architecture } = settings;
  const place = await whereWeRun(settings);
  const identity = { service, version, revision, architecture, region: place.region ?? 'unknown' };
  const serving = createServing({
    identity,
    faults: settings.faults,
    httpsRedirect: settings.httpsRedirect,
    guide: guideFor(settings, identity, place.project),
    project: place.project,
    writeLog: writeToStdout,
    random: Math.random,
    nowMs: () => performance.now(),
  });
  process.once('SIGTERM', async () => {
    writeToStdout({ severity: 'INFO', message: 'SIGTERM: finishing what is in flight' });
    await serving.drain();
    writeToStdout({ severity: 'INFO', message: 'stopped' });
    process.exit(0);
  });
  serving.server.on('error', error => die(error.message));
  serving.server.listen(settings.port, () => {
    writeToStdout({
      severity: 'INFO',
      message: `${service} ${version} listens on port ${settings.port}`,
      revision,
      architecture,
      region: place.region,
    });
  });
}

function guideFor({ guide }: Settings, identity: Identity, project: string | undefined): Guide {
  const { model, location } = guide;
  const generate = model && project ? gemini({ project, location, model }) : undefined;
  return createGuide({ identity, model, generate, writeLog: writeToStdout, nowMs: () => performance.now() });
}

async function whereWeRun({ region, project, metadataHost }: Settings) {
  if (region && project) return { region, project };
  const place = await placeFrom(metadataHost);
  return { region: region ?? place.region, project: project ?? place.project };
}

function die(message: string): void {
  writeToStdout({ severity: 'CRITICAL', message });
  process.exit(1);
}
