import { imageOf } from '../../functions/image/reference.ts';
import type { VerifyRules } from '../../functions/image/verify.ts';
import { data, type Format } from '../data.ts';
import { checkImage, referenceOf } from '../image-check.ts';
import { type Answer, lines, painter, type Terminal } from '../output.ts';
import { verdictReport } from '../verdict-report.ts';

export interface VerifyOptions {
  /** Each may hold several, separated by commas. */
  readonly platform?: readonly string[] | undefined;
  readonly binaries?: boolean | undefined;
  readonly twins?: 'report' | 'strict' | undefined;
  readonly policy?: string | undefined;
  readonly service?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly timeoutMs: number;
  readonly output: Format;
}

const PLATFORMS: readonly string[] = ['linux/amd64', 'linux/arm64'];

/** `slipway verify`: whether an image can run on every platform it has to run on. */
export async function verify(text: string, options: VerifyOptions, terminal: Terminal): Promise<Answer> {
  const reference = referenceOf(text);
  const rules = await rulesFor(imageOf(reference), options, terminal.env);
  const { verdicts } = await checkImage(reference, [rules], options, terminal);
  for (const verdict of verdicts) {
    const { platforms, binaries } = rules;
    const report = verdictReport({ reference, verdict, platforms, binaries }, painter(terminal));
    terminal.out(options.output === 'text' ? lines(report) : await data(verdict, options.output));
  }
  return verdicts.every(({ status }) => status === 'accepted') ? 'yes' : 'no';
}

/** A service's rules where a policy is named, else the defaults; in both an option has the last word. */
async function rulesFor(image: string, options: VerifyOptions, env: NodeJS.ProcessEnv): Promise<VerifyRules> {
  const base = await rulesOfService(image, options, env);
  const platforms = (options.platform ?? []).flatMap(text => text.split(',')).map(text => text.trim());
  return {
    ...base,
    platforms: platforms.length > 0 ? [...new Set(platforms)] : (base?.platforms ?? PLATFORMS),
    binaries: options.binaries ?? base?.binaries ?? false,
    twins: options.twins ?? base?.twins,
  };
}

async function rulesOfService(
  image: string,
  { policy: option, service }: VerifyOptions,
  env: NodeJS.ProcessEnv,
): Promise<VerifyRules | undefined> {
  if (option === undefined && service === undefined) return undefined;
  const { policyFileOf, readPolicy, serviceFor } = await import('../policy-file.ts');
  const file = policyFileOf(option, env);
  return serviceFor(await readPolicy(file), { file, image, name: service }).verify;
}
