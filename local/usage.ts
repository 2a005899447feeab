/** Whether parseArgs does not take an option as it was given: then it helps to say which there are. */
export function isUsage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
