import { access } from 'node:fs/promises';
import path from 'node:path';
import { SlipwayError } from '../functions/errors.ts';
import { isAlive, readSession, SESSION_FILE } from '../local/session.ts';

/** What every command knows before it begins. */
export interface GlobalOptions {
  readonly project?: string | undefined;
  /** A file, or '1' for the nearest. */
  readonly local?: string | undefined;
  readonly color: boolean;
}

/**
 * The environment that a command sees: the process's, with what a local cloud and the options put in its place.
 *
 * @throws SlipwayError when a local cloud is asked for and none runs
 */
export async function environmentFor(
  env: NodeJS.ProcessEnv,
  { project, local }: GlobalOptions,
  folder: string,
): Promise<NodeJS.ProcessEnv> {
  // Whoever names a project on the command line means that one, whatever the shell was set to.
  const wanted = local ?? (project === undefined ? env['SLIPWAY_LOCAL'] : undefined);
  const { SLIPWAY_LOCAL: _, ...others } = env;
  const session = wanted && wanted !== '0' ? await sessionEnv(wanted, folder) : {};
  return { ...others, ...session, ...(project === undefined ? {} : { GOOGLE_CLOUD_PROJECT: project }) };
}

async function sessionEnv(wanted: string, folder: string): Promise<Readonly<Record<string, string>>> {
  const file = wanted === '1' ? await nearest(folder) : path.resolve(folder, wanted);
  const session = await readSession(file);
  if (!session) throw noneRuns(`${file} is not there, or not what a local cloud writes`);
  if (!isAlive(session.pid)) throw noneRuns(`process ${session.pid}, which left ${file}, is gone`);
  // Commands tell by it that what they talk to is on this machine.
  return { ...session.env, SLIPWAY_LOCAL: file };
}

async function nearest(folder: string): Promise<string> {
  const file = path.join(folder, SESSION_FILE);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) return file;
  const parent = path.dirname(folder);
  if (parent !== folder) return nearest(parent);
  throw noneRuns(`there is no ${SESSION_FILE} in this folder or above it`);
}

function noneRuns(why: string): SlipwayError {
  return new SlipwayError(
    `No local cloud runs here: ${why}. Start one with \`npm start\` or \`slipway local\`, and let it run.`,
    { code: 'NotFound', operation: 'find the local cloud' },
  );
}
