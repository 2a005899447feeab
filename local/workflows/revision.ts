import { ApiError } from '../http.ts';
import { compileOrThrow } from './compile.ts';
import { LIMITS } from './limits.ts';
import type { Program } from './program.ts';

export const CALL_LOG_LEVELS = [
  'CALL_LOG_LEVEL_UNSPECIFIED',
  'LOG_ALL_CALLS',
  'LOG_ERRORS_ONLY',
  'LOG_NONE',
] as const;

export type CallLogLevel = (typeof CALL_LOG_LEVELS)[number];

export interface WorkflowSettings {
  /** Inherited by executions. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly serviceAccount?: string | undefined;
  readonly description?: string | undefined;
  readonly callLogLevel?: CallLogLevel | undefined;
}

/** One deployed source. */
export interface WorkflowRevision {
  /** `projects/P/locations/L/workflows/W` */
  readonly workflow: string;
  /** `000001-a4d` */
  readonly revisionId: string;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  readonly settings: WorkflowSettings;
  readonly program: Program;
  readonly createdMs: number;
  /** Of the workflow's first revision. */
  readonly workflowCreatedMs: number;
}

/** What a deployment is made of, checked. Throws CompileError for the source, ApiError for the rest. */
export function checkDeployment(
  workflowId: string,
  source: string,
  env: Readonly<Record<string, string>>,
  settings: WorkflowSettings,
): Program {
  if (!/^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/.test(workflowId)) {
    throw invalid(`workflow id '${workflowId}': a letter, then up to 63 letters, digits, '_' or '-'`);
  }
  checkEnv(env);
  checkLabels(settings.labels ?? {});
  return compileOrThrow(source);
}

function checkEnv(env: Readonly<Record<string, string>>): void {
  const names = Object.keys(env);
  if (names.length > LIMITS.envVariables) {
    throw invalid(`${names.length} environment variables; the limit is ${LIMITS.envVariables}`);
  }
  for (const [name, value] of Object.entries(env)) {
    if (name === '' || /^(GOOGLE|WORKFLOWS)/.test(name)) {
      throw invalid(
        `environment variable '${name}': a name must not be empty or start with GOOGLE or WORKFLOWS`,
      );
    }
    if (Buffer.byteLength(value) > LIMITS.envValue) {
      throw invalid(`environment variable '${name}' is longer than ${LIMITS.envValue} bytes`);
    }
  }
}

export function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (entries.length > LIMITS.labels)
    throw invalid(`${entries.length} labels; the limit is ${LIMITS.labels}`);
  for (const [key, value] of entries) {
    if (!/^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key)) {
      throw invalid(
        `label '${key}': a lowercase letter, then up to 62 lowercase letters, digits, '_' or '-'`,
      );
    }
    if (!/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value)) {
      throw invalid(
        `label '${key}': the value '${value}' must be up to 63 lowercase letters, digits, '_' or '-'`,
      );
    }
  }
}

function invalid(message: string): ApiError {
  return new ApiError('INVALID_ARGUMENT', message);
}
