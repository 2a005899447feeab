import { z } from 'zod';

/** What the runner found out about the cluster, for the suite that it starts. */
const settingsSchema = z.object({
  kubeconfigFile: z.string(),
  context: z.string().optional(),
  namespace: z.string(),
  /** A Gateway in the namespace; without one pods behind one Service split the traffic. */
  gateway: z.string().optional(),
  /** Whether canaries are to be placed on arm64 nodes. */
  onArm: z.boolean(),
  /** Repository without tag or digest. */
  image: z.string(),
  stableDigest: z.string(),
  canaryDigest: z.string(),
  /** Its container ends as soon as it starts. */
  brokenDigest: z.string(),
  /** How long a second of the contract lasts: 1000, or less where nodes are only played. */
  secondMs: z.number(),
});
export type Settings = z.infer<typeof settingsSchema>;

const VARIABLE = 'SLIPWAY_TEST_SETTINGS';

export function toEnvironment(settings: Settings): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(settings) };
}

export function fromEnvironment(env: NodeJS.ProcessEnv): Settings {
  const text = env[VARIABLE];
  if (!text) throw new Error('these tests need a cluster: npm run test:kubernetes');
  return settingsSchema.parse(JSON.parse(text));
}
