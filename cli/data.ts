import { json } from './output.ts';

export type Format = 'text' | 'json' | 'yaml';

/** The same value, for programs. */
export async function data(value: unknown, format: Exclude<Format, 'text'>): Promise<string> {
  return format === 'json' ? json(value) : (await yamlWriter())(value);
}

/** Loaded when somebody wants it; by way of a module of our own, for a bundled CommonJS package has no names to `import()`. */
export async function yamlWriter(): Promise<(value: unknown) => string> {
  return (await import('./yaml.ts')).yaml;
}
