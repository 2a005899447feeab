import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../functions/errors.ts';
import { type Policy, parsePolicy, type Service } from '../functions/rollout/policy.ts';
import { printProblem } from '../functions/rollout/policy-problems.ts';

/** @param advice what to do if there is no such file: a sentence */
export async function readText(file: string, advice = ''): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlipwayError(`cannot read ${file}: ${why}.${advice && ` ${advice}`}`, {
      code: 'NotFound',
      operation: `read ${file}`,
      cause,
    });
  }
}

export function policyFileOf(option: string | undefined, env: NodeJS.ProcessEnv): string {
  return option ?? (env['SLIPWAY_POLICY'] || 'rollouts.yaml');
}

/** @throws SlipwayError with every problem of the policy, a line each, or how to name another file */
export async function readPolicy(file: string): Promise<Policy> {
  const result = parsePolicy(await readText(file, '--policy names another file.'), file);
  if (result.ok) return result.policy;
  const operation = `read the policy ${file}`;
  throw new SlipwayError(result.problems.map(printProblem).join('\n'), {
    code: 'InvalidArgument',
    operation,
  });
}

export interface Wanted {
  readonly file: string;
  readonly name: string | undefined;
  /** Tells which service is meant where none is named. */
  readonly image: string;
}

/** @throws SlipwayError that names the services there are */
export function serviceFor({ services }: Policy, { file, name, image }: Wanted): Service {
  const [found, another] = services.filter(one =>
    name === undefined ? one.image === image : one.name === name,
  );
  if (found && !another) return found;
  const names = services.map(one => one.name).join(', ') || 'none';
  const what =
    name === undefined
      ? `${another ? 'several services' : 'no service'} of ${image}`
      : `no service "${name}"`;
  throw new SlipwayError(`${file} has ${what}; its services: ${names}. --service names one.`, {
    code: 'NotFound',
    operation: 'find the service',
  });
}
