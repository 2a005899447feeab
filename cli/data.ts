import type { Scalar } from 'yaml';
import { escaped, json } from './output.ts';

export type Format = 'text' | 'json' | 'yaml';

/** The same value, for programs. */
export async function data(value: unknown, format: Exclude<Format, 'text'>): Promise<string> {
  return format === 'json' ? json(value) : (await yamlWriter())(value);
}

/** Loaded when somebody wants it. */
export async function yamlWriter(): Promise<(value: unknown) => string> {
  const { Document, visit } = await import('yaml');
  return value => {
    const document = new Document(value ?? null, { aliasDuplicateObjects: false });
    visit(document, {
      Scalar(_key, node: Scalar) {
        // Only what is quoted can be escaped.
        if (typeof node.value === 'string' && escaped(node.value) !== node.value) node.type = 'QUOTE_DOUBLE';
      },
    });
    return escaped(document.toString({ lineWidth: 0 }));
  };
}
