import { hostname, userInfo } from 'node:os';
import { endpointVariable } from '../functions/google/clients.ts';

/** Asking Google for a name must not keep a command waiting. */
const PATIENCE_MS = 3000;

/** Who gives a command: the account of the Application Default Credentials, or else who is logged in here. */
export async function actorOf(env: NodeJS.ProcessEnv): Promise<string> {
  const user = env['USER'] || userInfo().username;
  if (env['SLIPWAY_LOCAL'] || env[endpointVariable('pubsub')]) return user;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
  });
  const account = await Promise.race([accountOf().catch(() => undefined), tooLate]);
  clearTimeout(timer);
  return account ?? `${user}@${hostname()}`;
}

async function accountOf(): Promise<string | undefined> {
  const { GoogleAuth, OAuth2Client } = await import('google-auth-library');
  const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  const client = await auth.getClient();
  const { client_email: serviceAccount } = await auth.getCredentials();
  if (serviceAccount) return serviceAccount;
  const { token } = await client.getAccessToken();
  if (!token || !(client instanceof OAuth2Client)) return undefined;
  return (await client.getTokenInfo(token)).email;
}
