import { GoogleAuth } from 'google-auth-library';
import { SlipwayError } from '../functions/errors.ts';
import { type Endpoints, readEndpoints } from '../functions/google/clients.ts';
import { calling } from '../functions/google/errors.ts';

const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

/**
 * Gets a token first: Google's clients end the process where there are no credentials, and try for a long time where they
 * have run out.
 */
export async function checkCredentials(env: NodeJS.ProcessEnv, api: keyof Endpoints): Promise<void> {
  if (readEndpoints(env)[api]) return;
  await calling('log in to Google Cloud', () =>
    new GoogleAuth({ scopes: [CLOUD_PLATFORM] }).getAccessToken(),
  );
}

export interface Asked {
  readonly project: string;
  /** The smallest predefined role that allows it. */
  readonly role: string;
  /** `firestore:DATABASE`, `workflows`, or the topic. */
  readonly what: string;
}

/** The same error, with what to do about it where that is known. */
export function advised(error: unknown, asked: Asked): unknown {
  if (!(error instanceof SlipwayError)) return error;
  const advice = adviceFor(error, asked);
  if (advice === undefined) return error;
  const { code, operation } = error;
  return new SlipwayError(`${error.message}\n${advice}`, { code, operation, cause: error });
}

/** What google-auth-library says before anything was asked, whatever the client makes of it. */
const NO_CREDENTIALS =
  /could not load the default credentials|invalid_grant|invalid_rapt|reauth|unable to detect a project id|no refresh token|GOOGLE_APPLICATION_CREDENTIALS|does not exist, or it is not a file/i;

function adviceFor({ code, message }: SlipwayError, { project, role, what }: Asked): string | undefined {
  if (code === 'Unauthenticated' || NO_CREDENTIALS.test(message)) {
    return 'Log in with `gcloud auth application-default login`; for a service account set GOOGLE_APPLICATION_CREDENTIALS. --local needs neither.';
  }
  if (code === 'PermissionDenied') {
    return `Whoever runs this needs ${role} on project ${project}: gcloud projects add-iam-policy-binding ${project} --member user:YOU --role ${role}`;
  }
  if (code === 'NotFound' && what.startsWith('firestore')) {
    return `Project ${project} has no such Firestore database. Is it the project that Slipway runs in? SLIPWAY_STORE=firestore:DATABASE names another database than (default); terraform apply makes it.`;
  }
  if (code === 'NotFound' && what === 'workflows') {
    return `Is ${project} the project that Slipway runs in, and is this its region? SLIPWAY_LOCATION names another one.`;
  }
  if (code === 'NotFound') {
    return `Project ${project} has no topic ${what}. Is it the project that Slipway runs in? --topic names another; terraform apply makes it.`;
  }
  if (code === 'DeadlineExceeded' || code === 'Unavailable') {
    return 'Google Cloud did not answer. Is there a way to it from here (proxy, VPN)? Try again.';
  }
  return undefined;
}
