import { SlipwayError } from './errors.ts';

/** Where the functions run and what they work with; one environment variable each. */
export interface Settings {
  readonly project: string;
  /** Region of the two workflows. */
  readonly location: string;
  readonly policyFile: string;
  /** `firestore` (the project's default database), `firestore:DATABASE`, or `sqlite:FILE`. */
  readonly store: string;
  readonly rolloutWorkflow: string;
  readonly rollbackWorkflow: string;
  readonly eventsTopic: string;
  /** Registry host → base URL that serves it instead. */
  readonly registryMirrors: Readonly<Record<string, string>>;
  /** Whom the console believes: `iap:AUDIENCE`, `idToken:AUDIENCE` or `local:NAME`; empty: nobody. */
  readonly consoleIdentity: string;
  /** Where people reach the console, for links in notifications; empty: nowhere. */
  readonly consoleUrl: string;
  /** Folder with one file for each secret, named as the policy names it. */
  readonly secretsFolder: string;
}

interface Variable {
  readonly name: string;
  readonly meaning: string;
  readonly fallback?: string;
}

const VARIABLES = {
  project: { name: 'GOOGLE_CLOUD_PROJECT', meaning: 'the project that Slipway runs in' },
  location: { name: 'SLIPWAY_LOCATION', meaning: 'the region of the workflows', fallback: 'us-central1' },
  policyFile: { name: 'SLIPWAY_POLICY', meaning: 'path of the policy file', fallback: 'rollouts.yaml' },
  store: {
    name: 'SLIPWAY_STORE',
    meaning: 'where records live: firestore, firestore:DATABASE or sqlite:FILE',
    fallback: 'firestore',
  },
  rolloutWorkflow: {
    name: 'SLIPWAY_ROLLOUT_WORKFLOW',
    meaning: 'name of the workflow that rolls out',
    fallback: 'rollout',
  },
  rollbackWorkflow: {
    name: 'SLIPWAY_ROLLBACK_WORKFLOW',
    meaning: 'name of the workflow that rolls back',
    fallback: 'rollback',
  },
  eventsTopic: {
    name: 'SLIPWAY_EVENTS_TOPIC',
    meaning: 'topic that every change is published on',
    fallback: 'rollout-events',
  },
  registryMirrors: {
    name: 'SLIPWAY_REGISTRY_MIRRORS',
    meaning: 'HOST=URL pairs, separated by commas, of registries to be reached elsewhere',
    fallback: '',
  },
  consoleIdentity: {
    name: 'SLIPWAY_CONSOLE_IDENTITY',
    meaning: 'whom the console believes: iap:AUDIENCE, idToken:AUDIENCE or local:NAME',
    fallback: '',
  },
  consoleUrl: {
    name: 'SLIPWAY_CONSOLE_URL',
    meaning: 'where people reach the console',
    fallback: '',
  },
  secretsFolder: {
    name: 'SLIPWAY_SECRETS',
    meaning: 'folder with one file for each secret',
    fallback: '/secrets',
  },
} as const satisfies Record<keyof Settings, Variable>;

/** Reads all settings and reports every missing one together. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const missing: string[] = [];
  function value(variable: Variable): string {
    const found = env[variable.name] ?? variable.fallback;
    if (found === undefined) missing.push(`${variable.name} (${variable.meaning})`);
    return found ?? '';
  }
  const settings: Settings = {
    project: value(VARIABLES.project),
    location: value(VARIABLES.location),
    policyFile: value(VARIABLES.policyFile),
    store: value(VARIABLES.store),
    rolloutWorkflow: value(VARIABLES.rolloutWorkflow),
    rollbackWorkflow: value(VARIABLES.rollbackWorkflow),
    eventsTopic: value(VARIABLES.eventsTopic),
    registryMirrors: parseMirrors(value(VARIABLES.registryMirrors)),
    consoleIdentity: value(VARIABLES.consoleIdentity),
    consoleUrl: value(VARIABLES.consoleUrl).replace(/\/+$/, ''),
    secretsFolder: value(VARIABLES.secretsFolder),
  };
  if (missing.length === 0) return settings;
  throw new SlipwayError(`set these environment variables: ${missing.join(', ')}`, {
    code: 'InvalidArgument',
    operation: 'read settings',
  });
}

function parseMirrors(text: string): Record<string, string> {
  const pairs = text.split(',').filter(pair => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map(pair => {
      const [host = '', url = ''] = pair.trim().split(/=(.*)/s);
      if (host && URL.canParse(url)) return [host, url];
      throw new SlipwayError(`SLIPWAY_REGISTRY_MIRRORS: expected HOST=URL, found "${pair}"`, {
        code: 'InvalidArgument',
        operation: 'read settings',
      });
    }),
  );
}
